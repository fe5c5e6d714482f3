"""Texts of flags and variables as values, as the original reads them. Each raises ValueError."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND, parse_duration

PORT_MAX: Final = 65353  # the original's bound; what is above is refused there, too
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_COMPONENTS: Final = re.compile(r"[\w.-]+:[a-z]+(,[\w.-]+:[a-z]+)*")
ENVOY_LEVELS: Final = ("trace", "debug", "info", "warning", "warn", "error", "critical", "off")


def text(given: str) -> str:
    """As it stands."""
    return given


def switch(given: str) -> bool:
    if given not in _TRUE | _FALSE:
        raise ValueError("neither true nor false")
    return given in _TRUE


def count(given: str) -> int:
    """A whole number that is not negative."""
    if not (given.isascii() and given.isdecimal() and len(given) < 20):
        raise ValueError("no whole number")
    return int(given)


def port(given: str) -> int:
    """A port; 0 is none."""
    number = count(given)
    if number > PORT_MAX:
        raise ValueError(f"no port from 0 to {PORT_MAX}")
    return number


def seconds(given: str) -> float:
    """A span of time above zero, such as 30s or 1m30s, in seconds."""
    found = parse_duration(given) / SECOND
    if found <= 0:
        raise ValueError("not above zero")
    return found


def proxy_type(given: str) -> str:
    if given not in {"dataplane", "ingress", "egress"}:
        raise ValueError("one of dataplane, ingress, egress")
    return given


def envoy_level(given: str) -> str:
    if given not in ENVOY_LEVELS:
        raise ValueError(f"one of {', '.join(ENVOY_LEVELS)}")
    return given


def envoy_components(given: str) -> str:
    """Envoy's own form, `upstream:debug,config:trace`."""
    if not _COMPONENTS.fullmatch(given):
        raise ValueError("not of the form component:level,component:level")
    return given


def pairs(given: Iterable[str]) -> dict[str, str]:
    """`name=value` and `name=value,other=value`. Of several, one whose value has a comma or a line
    break stands in quotes; one that stands alone needs none.
    """
    found: dict[str, str] = {}
    for each in given:
        for pair in _split(each):
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise ValueError(f"{pair!r} is not of the form name=value")
            found[name] = value
    return found


def _split(given: str) -> list[str]:
    if given.count("=") == 1:
        return [given.strip('"')]
    try:
        return [pair for row in csv.reader([given]) for pair in row]
    except csv.Error:
        raise ValueError("a value outside of quotes has a line break, or is too long") from None
