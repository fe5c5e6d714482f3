"""Host names out of the templates of HostnameGenerators, and what is wrong where there is none.

Source: docs/wire/services.md#host-names
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_template import TEMPLATE_CHARACTERS_MAX

LABEL: Final = "label"  # the one function

# One operand after another. A template that was taken has nothing else.
_OPERAND: Final = re.compile(
    r"(?P<field>(?:\.[A-Za-z_][A-Za-z0-9_]*)+)"
    r"|(?P<dot>\.)"
    r'|(?P<text>"(?:[^"\\\n]++|\\[^\n])*+")'
    r"|`(?P<raw>[^`]*+)`"
    r"|(?P<number>[0-9]+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<pipe>\|)"
    r"|(?P<space>[ \t\r\n]+)"
)
_SPACES: Final = " \t\r\n"
_TYPE: Final = "hostname.meshedName"  # what the original calls the fields below


class NamedService(NamedTuple):
    """What templates may tell of a service, in the order in which `{{ . }}` shows it."""

    Name: str
    DisplayName: str
    Namespace: str
    Mesh: str
    Zone: str


class TemplateError(Exception):
    """A template that makes no name for a service; the text is that of its condition."""


class _Operand(NamedTuple):
    kind: str
    shown: str  # as it stands in the template
    at: int  # where in the template


def host_name(template: str, service: NamedService, labels: Mapping[str, str]) -> str:
    """The name that `template` makes for `service`. Raises: TemplateError."""
    if len(template) > TEMPLATE_CHARACTERS_MAX:
        raise TemplateError("the template is too long")
    run = _Run(template, service, labels)
    try:
        return "".join(run.parts())
    except _RunError as error:
        reason = go_quote(f"template: {error}")
        raise TemplateError(
            f"pre evaluation of template with parameters failed with error={reason}"
        ) from None


class _RunError(Exception):
    """Where a template failed, and why."""


class _Run:
    def __init__(self, template: str, service: NamedService, labels: Mapping[str, str]) -> None:
        self._template = template
        self._service = service
        self._labels = labels

    def parts(self) -> Iterator[str]:
        """Texts and the results of actions, in turn."""
        position, trims = 0, False
        while (start := self._template.find("{{", position)) >= 0:
            text = self._template[position:start]
            begin = start + 2
            if self._template.startswith("- ", begin):
                text, begin = text.rstrip(_SPACES), begin + 2
            yield text.lstrip(_SPACES) if trims else text
            end = self._template.find("}}", begin)
            end = len(self._template) if end < 0 else end
            trims = self._template.endswith(" -", begin, end)
            yield self._result(begin, end - 2 if trims else end)
            position = end + 2
        rest = self._template[position:]
        yield rest.lstrip(_SPACES) if trims else rest

    def _result(self, begin: int, end: int) -> str:
        if self._template[begin:end].strip(_SPACES).startswith("/*"):
            return ""
        piped: str | None = None
        for command in self._commands(begin, end):
            piped = self._evaluated(command, piped)
        return piped or ""

    def _commands(self, begin: int, end: int) -> Sequence[list[_Operand]]:
        """Each gets the result of the one before as its last operand."""
        commands: list[list[_Operand]] = [[]]
        position = begin
        while position < end and (found := _OPERAND.match(self._template, position, end)):
            kind = found.lastgroup or ""
            if kind == "pipe":
                commands.append([])
            elif kind != "space":
                commands[-1].append(_Operand(kind, found[0], position))
            position = found.end()
        return [each for each in commands if each]

    def _evaluated(self, command: list[_Operand], piped: str | None) -> str:
        head, *operands = command
        if head.kind == "word":
            return self._label(command, piped)
        value = self._value(head)
        if operands or piped is not None:
            if head.kind == "field":
                last = head.shown.rpartition(".")[2]
                reason = f"{last} has arguments but cannot be invoked as function"
            else:
                reason = f"can't give argument to non-function {head.shown}"
            raise self._error(head.at, head.shown, reason)
        return value

    def _label(self, command: list[_Operand], piped: str | None) -> str:
        head, *operands = command
        if head.shown != LABEL:
            raise self._error(
                head.at, head.shown, f"{go_quote(head.shown)} is not a defined function"
            )
        given = len(operands) + (piped is not None)
        if given != 1:
            reason = f"wrong number of args for {LABEL}: want 1 got {given}"
            raise self._error(head.at, head.shown, reason)
        key = piped
        if operands:
            if operands[0].kind == "number":
                shown = operands[0].shown
                raise self._error(operands[0].at, shown, f"expected string; found {shown}")
            key = self._value(operands[0])
        if key is None or key not in self._labels:
            shown = " ".join(each.shown for each in command)
            reason = f"error calling {LABEL}: label {key} not found"
            raise self._error(head.at, shown, reason)
        return self._labels[key]

    def _value(self, operand: _Operand) -> str:
        match operand.kind:
            case "field":
                return self._field(operand)
            case "dot":
                return f"{{{' '.join(self._service)}}}"
            case "text":
                return _unquoted(operand.shown)
            case "raw":
                return operand.shown.strip("`")
            case _:
                return operand.shown

    def _field(self, operand: _Operand) -> str:
        _, name, *more = operand.shown.split(".")
        if more:  # a chain is where its second link is
            operand = operand._replace(at=operand.at + len(f".{name}"))
        if name not in NamedService._fields:
            reason = f"can't evaluate field {name} in type {_TYPE}"
            raise self._error(operand.at, operand.shown, reason)
        if more:
            reason = f"can't evaluate field {more[0]} in type string"
            raise self._error(operand.at, operand.shown, reason)
        return str(getattr(self._service, name))

    def _error(self, at: int, shown: str, reason: str) -> _RunError:
        before = self._template[:at]
        line = 1 + before.count("\n")
        column = len(before.rpartition("\n")[2].encode())
        return _RunError(f':{line}:{column}: executing "" at <{shown}>: {reason}')


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]  # an escape that Go has and JSON has not
