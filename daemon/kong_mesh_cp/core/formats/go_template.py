"""Templates of Go's text/template, as far as host names need them.

Taken are texts with actions `{{ .Field }}`, `{{ function "text" }}` and pipes between them, and
where asked for `{{ if .Field }}`, `{{ else }}`, `{{ else if .Field }}` and `{{ end }}`. What Go
would take beyond that (`range`, variables, brackets) is refused: a resource has nothing to repeat.
What is taken and not run here (a field of a field, a comparison of different types) has no result.

Source: docs/wire/virtual-addresses.md#names
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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

FUNCTIONS: Final = frozenset({"and", "eq", "ne", "not", "or", "print"})  # that `filled` runs
NO_VALUE: Final = "<no value>"  # what Go writes for a field that is not there

_OPERAND: Final = re.compile(
    r"(?:\.(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?![.A-Za-z0-9_])"
    r'|(?P<text>"(?:[^"\\\n]++|\\[^\n])*+")'
    r"|`(?P<raw>[^`]*+)`"
    r"|(?P<number>[0-9]{1,18})"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<pipe>\|))[ \t\r\n]*"
)

Value = str | int | bool | None
"""None: a field that is not there."""


class _NoResultError(Exception):
    """It is no template, or one that is not run here."""


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


def filled(template: str, values: Mapping[str, str]) -> str | None:
    """`template` with `values` for its fields; None: it has no result."""
    filling = _Filling(values)
    position, trims = 0, False
    try:
        while (start := template.find("{{", position)) >= 0:
            text = template[position:start]
            if template.startswith("{{- ", start):
                text = text.rstrip(_SPACES)
            filling.add(text.lstrip(_SPACES) if trims else text)
            end = template.find("}}", start)
            if end < 0:
                return None
            action = template[start + 2 : end]
            filling.act(action)
            position, trims = end + 2, action.endswith(" -")
        rest = template[position:]
        filling.add(rest.lstrip(_SPACES) if trims else rest)
        return filling.whole()
    except _NoResultError:
        return None


class _Filling:
    """A text as it grows, and the conditions around its end."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._parts: list[str] = []
        self._is_shown = True
        # For each `if`: whether there is output outside of it, and whether it had a branch by now.
        self._open: list[tuple[bool, bool]] = []

    def add(self, text: str) -> None:
        if self._is_shown:
            self._parts.append(text)

    def whole(self) -> str:
        if self._open:
            raise _NoResultError
        return "".join(self._parts)

    def act(self, action: str) -> None:
        """Raises: _NoResultError."""
        word, rest = control_word(action)
        match word:
            case "if":
                is_true = self._is_true(rest)
                self._open.append((self._is_shown, is_true))
                self._is_shown = self._is_shown and is_true
            case "else":
                self._else(rest)
            case "end":
                self._is_shown, _ = self._pop()
            case _:
                is_comment = rest.startswith("/*") and rest.endswith("*/")
                if self._is_shown and not is_comment:
                    self.add(_shown(_result(rest, self._values)))

    def _else(self, rest: str) -> None:
        is_outside_shown, had_branch = self._pop()
        word, condition = control_word(rest)
        is_true = self._is_true(condition) if word == "if" else True
        self._open.append((is_outside_shown, had_branch or is_true))
        self._is_shown = is_outside_shown and not had_branch and is_true

    def _pop(self) -> tuple[bool, bool]:
        if not self._open:
            raise _NoResultError
        return self._open.pop()

    def _is_true(self, condition: str) -> bool:
        return bool(_result(condition, self._values))


def _shown(value: Value) -> str:
    if value is None:
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(pipeline: str, values: Mapping[str, str]) -> Value:
    """Each command gets the result of the one before as its last operand."""
    piped: list[Value] = []
    for command in _commands(pipeline, values):
        head, *operands = command
        operands += piped
        if isinstance(head, _Function):
            piped = [head.of(operands)]
        elif operands:
            raise _NoResultError  # a value takes no operands
        else:
            piped = [head]
    if not piped:
        raise _NoResultError
    return piped[0]


def _commands(pipeline: str, values: Mapping[str, str]) -> Sequence[list[Value | _Function]]:
    commands: list[list[Value | _Function]] = [[]]
    position = 0
    while position < len(pipeline):
        found = _OPERAND.match(pipeline, position)
        if found is None:
            raise _NoResultError
        position = found.end()
        if found["pipe"]:
            commands.append([])
        else:
            commands[-1].append(_operand(found, values))
    if not all(commands):
        raise _NoResultError
    return commands


def _operand(found: re.Match[str], values: Mapping[str, str]) -> Value | _Function:
    match found.lastgroup:
        case "field":
            return values.get(found["field"])
        case "text":
            return _unquoted(found["text"])
        case "raw":
            return found["raw"]
        case "number":
            return int(found["number"])
        case _:
            return _Function(found["word"])


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise _NoResultError from None  # an escape that Go has and JSON has not


class _Function:
    """One of FUNCTIONS."""

    def __init__(self, name: str) -> None:
        self._name = name

    def of(self, operands: Sequence[Value | _Function]) -> Value:
        """Raises: _NoResultError."""
        values = [each for each in operands if not isinstance(each, _Function)]
        if len(values) != len(operands) or not values:
            raise _NoResultError
        match self._name:
            case "and":
                return next((each for each in values if not each), values[-1])
            case "or":
                return next((each for each in values if each), values[-1])
            case "not" if len(values) == 1:
                return not values[0]
            case "eq" if len(values) > 1:
                return any(_is_equal(values[0], each) for each in values[1:])
            case "ne" if len(values) == len(("left", "right")):
                return not _is_equal(values[0], values[1])
            case "print" if all(isinstance(each, str) for each in values):
                return "".join(map(str, values))
            case _:
                raise _NoResultError


def _is_equal(left: Value, right: Value) -> bool:
    # Go compares no values of different types, and none that are not there.
    if left is None or type(left) is not type(right):
        raise _NoResultError
    return left == right
