"""The ways out of the mesh that the matches of a MeshPassthrough open, in the order of Envoy's
filter chains.

Source: docs/wire/envoy-passthrough.md#ways
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import IntEnum
from ipaddress import ip_network
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.kinds.mesh_passthrough import LAYER_7, Conf, Match

ANY: Final = "*"  # as a domain
_PROTOCOL_ORDER: Final = {"tls": 0, "mysql": 0, "tcp": 1, "http": 2, "http2": 3, "grpc": 4}


class Kind(IntEnum):
    """What a way is told by; the higher, the earlier it stands."""

    WILDCARD = 1
    DOMAIN = 2
    CIDR = 3
    CIDR_V6 = 4
    IP = 5
    IP_V6 = 6


DOMAINS: Final = (Kind.WILDCARD, Kind.DOMAIN)
_V4: Final = (Kind.CIDR, Kind.IP)
_V6: Final = (Kind.CIDR_V6, Kind.IP_V6)


class Host(NamedTuple):
    """A host of a way by HTTP that is told by domains: all such of a port are one way."""

    domain: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One filter chain."""

    protocol: str
    port: int  # 0: all that no other way is about
    kind: Kind
    value: str = ""  # "" where there are hosts
    hosts: tuple[Host, ...] = ()
    is_copy: bool = False  # of a way without a port, beside one with this port

    @property
    def range(self) -> tuple[str, int] | None:
        """The addresses it is about; None: it is told by something else."""
        if self.kind in DOMAINS:
            return None
        network = ip_network(self.value, strict=False)
        return str(network.network_address), network.prefixlen

    @property
    def told_by(self) -> object:
        """What Envoy tells it by: of two that have the same it takes neither."""
        is_http = self.protocol in LAYER_7
        names = "" if is_http or self.kind not in DOMAINS else self.value
        return is_http, self.protocol == "tls", self.port, self.range, names


@dataclass(frozen=True, slots=True)
class Ways:
    """All of them; `left_out` says what could not be told apart from another one."""

    ways: tuple[Way, ...]
    left_out: tuple[str, ...] = ()

    def of(self, *, ipv6: bool) -> tuple[Way, ...]:
        """For the listener of one version of IP."""
        others = _V4 if ipv6 else _V6
        return tuple(each for each in self.ways if each.kind not in others)

    @property
    def silent_ports(self) -> tuple[int, ...]:
        """Where the server speaks first: whoever waits for what a client says waits for ever."""
        return tuple(each.port for each in self.ways if each.protocol == "mysql")


def ways_of(conf: Conf) -> Ways:
    left_out: list[str] = []
    matches = list(_apart(conf.append_match or (), left_out))
    ways = sorted(_with_copies(_joined(matches)), key=_order)
    return Ways(tuple(_distinct(ways, left_out)), tuple(left_out))


def _apart(matches: Iterable[Match], left_out: list[str]) -> Iterator[Match]:
    """Without what speaks another HTTP than the first one on its port: no byte tells them apart."""
    spoken: dict[int, str] = {}
    for match in matches:
        port = match.port or 0
        if match.protocol in LAYER_7 and spoken.setdefault(port, match.protocol) != match.protocol:
            left_out.append(
                f"{match.protocol} to {match.value}: "
                f"you cannot configure http, http2, grpc on the same port {port}"
            )
        else:
            yield match


def _joined(matches: Iterable[Match]) -> list[Way]:
    """Domains by HTTP are hosts of one way."""
    hosts: dict[Way, dict[Host, None]] = {}
    for match in matches:
        kind, port = _kind(match), match.port or 0
        if kind in DOMAINS and match.protocol in LAYER_7:
            way = Way(protocol=match.protocol, port=port, kind=Kind.DOMAIN)
            hosts.setdefault(way, {})[Host(match.value, kind)] = None
        else:
            way = Way(protocol=match.protocol, port=port, kind=kind, value=match.value)
            hosts.setdefault(way, {})
    return [replace(way, hosts=tuple(found)) for way, found in hosts.items()]


def _with_copies(ways: list[Way]) -> Iterator[Way]:
    """What is for all ports again for each that others name: Envoy looks at the port first, and
    does not come back.
    """
    ports = sorted({each.port for each in ways} - {0})
    all_ports = [each for each in ways if not each.port]
    for way in ways:
        if way.port and way.hosts:
            same = (each for each in all_ports if each.protocol == way.protocol and each.hosts)
            both = {
                **dict.fromkeys(way.hosts),
                **dict.fromkeys(h for each in same for h in each.hosts),
            }
            yield replace(way, hosts=tuple(sorted(both, key=_host_order)))
        else:
            yield replace(way, hosts=tuple(sorted(way.hosts, key=_host_order)))
    named = {replace(each, hosts=()) for each in ways}
    for way in all_ports:
        for port in ports:
            copy = replace(way, port=port, hosts=())
            if copy not in named:
                hosts = tuple(sorted(way.hosts, key=_host_order))
                yield replace(copy, hosts=hosts, is_copy=True)


def _distinct(ways: Iterable[Way], left_out: list[str]) -> Iterator[Way]:
    """The first of those that Envoy could not tell apart, and copies only beside no other."""
    found = list(ways)
    taken = {each.told_by for each in found if not each.is_copy}
    seen: set[object] = set()
    for way in found:
        if way.told_by in seen or (way.is_copy and way.told_by in taken):
            named = way.value or ", ".join(each.domain for each in way.hosts)
            left_out.append(
                f"{way.protocol} to {named} on port {way.port or ANY}: "
                "another match takes all that it would be about"
            )
            continue
        seen.add(way.told_by)
        yield way


def _kind(match: Match) -> Kind:
    match match.type:
        case "Domain":
            return Kind.WILDCARD if match.value.startswith(ANY) else Kind.DOMAIN
        case "IP":
            return Kind.IP_V6 if ":" in match.value else Kind.IP
        case _:
            return Kind.CIDR_V6 if ":" in match.value else Kind.CIDR


class _Later(str):
    """A text that stands before those that are smaller."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _order(way: Way) -> tuple[object, ...]:
    first = (_PROTOCOL_ORDER[way.protocol], -way.kind, -way.port)
    if way.kind in DOMAINS:
        return (*first, *_domain_order(way.value))
    if way.kind in (Kind.IP, Kind.IP_V6):
        return (*first, _Later(way.value))
    address, length = way.range or ("", 0)
    return (*first, -length, _Later(address))


def _host_order(host: Host) -> tuple[object, ...]:
    return (-host.kind, *_domain_order(host.domain))


def _domain_order(domain: str) -> tuple[int, str]:
    """More labels first."""
    return -len(domain.split(".")), domain
