"""Traffic of certain users that is left alone: `[PROTOCOL:][PORTS:]UIDS`, read.

Source: docs/wire/transparent-proxy.md#exclusions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kumactl.errors import UsageError
from kumactl.transparent_proxy.values import PORT_MAX, number_range

_ALL_PORTS: Final = f"1-{PORT_MAX}"
_PROTOCOLS: Final = ("tcp", "udp")
MULTIPORT_MAX: Final = 15  # XT_MULTI_PORTS of the kernel
UID_MAX: Final = 2**32 - 2  # the last one is "nobody in particular" to the kernel


@dataclass(frozen=True, slots=True)
class UidExclusion:
    """One protocol; ports and users in iptables' form: `22,80:90`, `1000:2000`."""

    protocol: str
    ports: str
    uids: str


def by_uid(texts: Iterable[str]) -> tuple[UidExclusion, ...]:
    """Raises: UsageError, which repeats the text."""
    return tuple(each for text in texts for each in _exclusions(text))


def _exclusions(text: str) -> Iterator[UidExclusion]:
    parts = text.split(":")
    if len(parts) > 3:
        raise UsageError(
            f"invalid format for excluding ports by UIDs: '{text}'. Expected format:"
            " <protocol:>?<ports:>?<uids>"
        )
    protocols, ports, uids = (["*"] * (3 - len(parts))) + parts
    if uids == "*":
        raise UsageError("wildcard '*' is not allowed for UIDs")
    if "," in uids or not uids:
        raise UsageError(
            f"invalid UID entry: '{uids}'. It should either be a single item or a range"
        )
    try:
        number_range(uids, UID_MAX)
        each_port = _listed(ports) or [_ALL_PORTS]
        if ports.strip() == "*":
            each_port = [_ALL_PORTS]
        for port in each_port:
            number_range(port, PORT_MAX)
        _require_room(each_port)
    except ValueError as error:
        raise UsageError(f"excluding ports by UIDs, '{text}': {error}") from None
    for protocol in _protocols(protocols):
        yield UidExclusion(protocol, ",".join(each_port).replace("-", ":"), uids.replace("-", ":"))


def _require_room(ports: list[str]) -> None:
    if sum(2 if "-" in port else 1 for port in ports) > MULTIPORT_MAX:
        raise ValueError(
            f"one rule has room for {MULTIPORT_MAX} ports, and a range counts as two: give the"
            " flag several times"
        )


def _protocols(text: str) -> tuple[str, ...]:
    if text.strip() in {"", "*"}:
        return _PROTOCOLS
    found = tuple(word.lower() for word in _listed(text))
    for word in found:
        if word not in _PROTOCOLS:
            raise UsageError(f"invalid or unsupported protocol: '{word}'")
    return found


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
