"""Lines of Envoy's log: their level, and what a person is to do about some of them."""

from __future__ import annotations

import logging
import re
from typing import Final, NamedTuple

from kong_mesh_cp.core.formats.printable import printable

LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
# [2026-11-30 11:10:26.664][14711][info][config] [source/server/configuration_impl.cc:132] text
_LINE: Final = re.compile(r"\[[-\d :.]+\]\[\d+\]\[(\w+)\]\[(\w+)\] (?:\[[^\]]*\] )?(.*)", re.DOTALL)
_STREAM_CLOSED: Final = re.compile(r"gRPC config stream to ads_cluster closed.*?: (\d+), (.+)")
_BIND: Final = re.compile(r"cannot bind '([^']+)': ([\w ]+)")
_DETAILS: Final = re.compile(r"\{[^{}]*\}$")  # where in Envoy an end was seen
_UNAVAILABLE: Final = 14  # gRPC's status: the control plane is away, and is tried again
_QUIET: Final = frozenset({0, 13, _UNAVAILABLE})  # ends of a connection, not refusals


class Line(NamedTuple):
    """One line, as it goes on."""

    level: int
    text: str


class Finding(NamedTuple):
    """What a line means to whoever runs this machine."""

    code: str
    message: str
    hint: str

    @property
    def line(self) -> str:
        return f"{self.code}: {self.message}. {self.hint}"


class LogReader:
    """Reads the lines of one Envoy in order: those without a head belong to the one before."""

    def __init__(self) -> None:
        self._level = logging.INFO

    def read(self, text: str) -> Line:
        found = _LINE.fullmatch(text)
        if found is None:
            return Line(self._level, f"envoy: {printable(text)}")
        level, logger, said = found.groups()
        self._level = LEVELS.get(level, logging.INFO)
        return Line(self._level, f"envoy: [{logger}] {printable(said)}")


def finding(text: str) -> Finding | None:
    """What the line tells that somebody has to mend, if it does."""
    if bind := _BIND.search(text):
        address, reason = bind[1], bind[2].strip()
        return Finding(
            "port-taken" if "in use" in reason else "address-unusable",
            f"Envoy cannot listen on {printable(address)}: {printable(reason)}",
            "Stop who listens there, or give the Dataplane another port or address; a second proxy"
            " of one machine needs networking.admin.port of its own.",
        )
    closed = _STREAM_CLOSED.search(text)
    if closed is None or int(closed[1]) in _QUIET:
        return None
    return _refused(_DETAILS.sub("", printable(closed[2])).rstrip(". "))


def _refused(said: str) -> Finding:
    if "license-limit" in said or "mesh-quota" in said:
        code, _, rest = said.partition(": ")
        return Finding(
            code if rest else "license-limit",
            f"the control plane has no seat for this proxy: {rest or said}",
            "Free a seat, or install a license for more; Envoy goes on asking.",
        )
    if "token" in said or "authentication failed" in said:
        return Finding(
            "dataplane-token-refused",
            f"the control plane does not take the token: {said}",
            "Make a new one that is for this proxy, and start kuma-dp again with it.",
        )
    return Finding(
        "stream-refused",
        f"the control plane does not configure this proxy: {said}",
        "Correct what it says; Envoy goes on asking.",
    )
