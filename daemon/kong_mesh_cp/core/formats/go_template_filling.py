"""Templates of Go's text/template filled in with texts: fields, conditions and a few functions.

What `template_fault` takes and this does not run (a field of a field, a comparison of different
types) has no result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.formats.go_template import control_word

FUNCTIONS: Final = frozenset({"and", "eq", "ne", "not", "or", "print"})
NO_VALUE: Final = "<no value>"  # what Go writes for a field that is not there

_OPERAND: Final = re.compile(
    r"(?:\.(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?![.A-Za-z0-9_])"
    r'|(?P<text>"(?:[^"\\\n]++|\\[^\n])*+")'
    r"|`(?P<raw>[^`]*+)`"
    r"|(?P<number>[0-9]{1,18})"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<pipe>\|))[ \t\r\n]*"
)
_SPACES: Final = " \t\r\n"

Value = str | int | bool | None
"""None: a field that is not there."""


class _NoResultError(Exception):
    """It is no template, or one that is not run here."""


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
