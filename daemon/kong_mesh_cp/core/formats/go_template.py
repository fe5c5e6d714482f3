"""Templates of Go's text/template, as far as host names need them.

Taken are texts with actions `{{ .Field }}`, `{{ function "text" }}` and pipes between them, and
where asked for `{{ if .Field }}`, `{{ else }}`, `{{ else if .Field }}` and `{{ end }}`. What Go
would take beyond that (`range`, variables, brackets) is refused: a resource has nothing to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from kong_mesh_cp.core.formats.go_quote import go_quote

TEMPLATE_CHARACTERS_MAX: Final = 4096  # no host name needs more

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<field>(?:\.[A-Za-z_][A-Za-z0-9_]*)+)"
    r"|(?P<dot>\.)"
    # Possessive, so that a quote that is never closed costs one pass.
    r'|(?P<text>"(?:[^"\\\n]++|\\[^\n])*+")'
    r"|(?P<raw>`[^`]*+`)"
    r"|(?P<number>[0-9]+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<pipe>\|)"
    r"|(?P<bracket>[()])"
)
_SPACES: Final = " \t\r\n"
_CONTROL: Final = re.compile(r"(if|else|end)(?![A-Za-z0-9_])")
_ENDS: Final = frozenset(" \t\r\n.,|:)")  # what may follow a field or a word


def template_fault(
    template: str, functions: AbstractSet[str], *, conditions: bool = False
) -> str | None:
    """Why `template` is none, in Go's words; None if it is one."""
    position = counted = 0
    line = 1
    open_blocks: list[bool] = []  # for each `if` whether its `else` was there
    while (start := template.find("{{", position)) >= 0:
        line += template.count("\n", counted, start)
        counted = start
        # The first one, even inside of a quoted text: Go's lexer would read on there.
        end = template.find("}}", start)
        action = template[start + 2 : end if end >= 0 else len(template)]
        if conditions:
            fault = _block_fault(action, functions, open_blocks)
        else:
            fault = _action_fault(action, functions)
        if end < 0 and (fault is None or not action.strip()):
            fault = "unclosed action"
        if fault is not None:
            # The name before the first colon is empty: Kuma parses templates without one.
            return f"template: :{line}: {fault}"
        position = end + 2
    if open_blocks:
        line += template.count("\n", counted)
        return f"template: :{line}: unexpected EOF"
    return None


def _block_fault(action: str, functions: AbstractSet[str], open_blocks: list[bool]) -> str | None:
    """As of an action, and whether it stands where it may. `open_blocks` follows."""
    word, rest = control_word(action)
    match word:
        case "if":
            open_blocks.append(False)
            return _condition_fault(rest, functions)
        case "end" if rest:
            return f"unexpected {go_quote(rest)} in end"
        case "else" | "end" if not open_blocks:
            return f"unexpected {{{{{word}}}}}"
        case "else" if open_blocks[-1]:
            return "expected end; found {{else}}"
        case "else":
            inner, condition = control_word(rest)
            if inner == "if":
                return _condition_fault(condition, functions)
            open_blocks[-1] = True
            return f"unexpected {go_quote(rest)} in else" if rest else None
        case "end":
            open_blocks.pop()
            return None
        case _:
            return _action_fault(action, functions)


def _condition_fault(condition: str, functions: AbstractSet[str]) -> str | None:
    return _action_fault(condition, functions) if condition else "missing value for if"


def control_word(action: str) -> tuple[str, str]:
    """`if`, `else` or `end` and what follows it; "" and the whole of any other action."""
    body = action.removeprefix("- ").removesuffix(" -").strip(_SPACES)
    found = _CONTROL.match(body)
    return (found[1], body[found.end() :].strip(_SPACES)) if found else ("", body)


def _action_fault(action: str, functions: AbstractSet[str]) -> str | None:
    # A dash with a space beside it trims the text around the action.
    body = action.removeprefix("- ").removesuffix(" -")
    if _is_comment(body):
        return None
    words: list[str] = []
    position = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            return _unlexable(body[position:])
        position = token.end()
        kind = token.lastgroup or ""
        if kind in {"field", "word", "dot"} and body[position : position + 1]:
            following = body[position]
            if following not in _ENDS:
                return f"bad character {_code_point(following)}"
        # Go resolves functions while it parses, hence this is a fault of syntax.
        if kind == "word" and token[0] not in functions:
            return f"function {go_quote(token[0])} not defined"
        if kind != "space":
            words.append(kind)
    return _order_fault(words)


def _is_comment(body: str) -> bool:
    return body.startswith("/*") and body.endswith("*/") and len(body) >= len("/**/")


def _order_fault(words: list[str]) -> str | None:
    if not words:
        return "missing value for command"
    # Parenthesised pipelines are Go's, but nothing that a host name needs.
    if words.count("bracket"):
        return 'unexpected "(" in operand'
    if words[0] == "pipe" or words[-1] == "pipe":
        return "missing value for command"
    return None


def _unlexable(rest: str) -> str:
    match rest[0]:
        case '"':
            return "unterminated quoted string"
        case "`":
            return "unterminated raw quoted string"
        case character:
            return f"unexpected bad character {_code_point(character)} in command"


def _code_point(character: str) -> str:
    """As Go's `%#U` prints it."""
    shown = f" '{character}'" if character.isprintable() else ""
    return f"U+{ord(character):04X}{shown}"
