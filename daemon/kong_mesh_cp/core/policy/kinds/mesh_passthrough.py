"""MeshPassthrough: what proxies may reach that no service of the mesh stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import is_dns_name, is_ip
from kong_mesh_cp.core.formats.urls_and_paths import is_cidr
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import SPEC, top
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import EMPTY_IF_ABSENT, OneOf, Unsigned32
from kong_mesh_cp.core.schema.value_checks import must_be_one_of, port
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

PROTOCOLS: Final = ("tcp", "tls", "grpc", "http", "http2", "mysql")
# Protocols for which Envoy parses requests: on one port they cannot share a filter chain.
LAYER_7: Final = ("grpc", "http", "http2")
_PARTIAL_WILDCARD: Final = re.compile(r"\*[^.]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A destination outside of the mesh that may be reached."""

    type: Annotated[str, OneOf(("Domain", "IP", "CIDR"))]
    value: str
    port: Unsigned32 | None = None
    protocol: Annotated[str, OneOf(PROTOCOLS)] = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Which traffic passes that no service of the mesh is meant by."""

    passthrough_mode: Annotated[str, OneOf(("All", "Matched", "None"))] | None = None
    append_match: tuple[Match, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPassthrough:
    """The spec of a MeshPassthrough."""

    target_ref: TargetRef | None = None
    default: Annotated[Conf, EMPTY_IF_ABSENT]


def _violations(spec: MeshPassthrough) -> Iterator[Violation]:
    # Gateways have no transparent proxy, hence nothing that passes through.
    yield from top(spec, ("Mesh", "MeshSubset", "Dataplane"))
    at = SPEC.field("default").field("appendMatch")
    matches = spec.default.append_match or ()
    yield from _shared_ports(matches, at)
    for index, match in enumerate(matches):
        yield from _match(match, at.index(index))


_ONE_PROTOCOL: Final = (
    "using the same port in multiple matches requires the same protocol for the following "
    f"protocols: [{' '.join(LAYER_7)}]"
)


def _shared_ports(matches: tuple[Match, ...], at: FieldPath) -> Iterator[Violation]:
    """What one match says must not contradict or repeat another one on the same port."""
    protocols: dict[int, str] = {}
    values: set[tuple[int, str, str]] = set()
    for index, match in enumerate(matches):
        # Without a port a match is for all ports and is compared with no other: the more specific
        # one wins in Envoy.
        if match.port is None:
            continue
        # Compared with the match before it on this port, of whatever protocol that one is: those
        # whose requests are parsed may be followed by others, and not the other way round.
        before = protocols.get(match.port, match.protocol)
        if before != match.protocol and match.protocol in LAYER_7:
            yield at.index(index).field("port").violation(_ONE_PROTOCOL)
        else:
            protocols[match.port] = match.protocol
        key = (match.port, match.protocol, match.value)
        if key in values:
            yield (
                at.index(index)
                .field("value")
                # The spelling is Kuma's, and clients compare the text.
                .violation(f"value {match.value} is already defiend for this port and protocol")
            )
        values.add(key)


def _match(match: Match, at: FieldPath) -> Iterator[Violation]:
    # The MySQL server speaks first, so Envoy cannot find out by the first bytes which chain it is.
    if match.protocol == "mysql" and match.port is None:
        yield at.field("port").violation("port must be defined for Mysql protocol")
    yield from port(match.port, at.field("port"))
    if match.protocol not in PROTOCOLS:
        yield at.field("protocol").violation(must_be_one_of("protocol", PROTOCOLS))
    value = at.field("value")
    match match.type:
        case "CIDR":
            if not is_cidr(match.value):
                yield value.violation("provided CIDR has incorrect value")
        case "IP":
            if not is_ip(match.value):
                yield value.violation("provided IP has incorrect value")
        case "Domain":
            yield from _domain(match, at)
        case unknown:
            yield at.field("type").violation(
                f"provided type {unknown} is not supported, one of Domain, IP, or CIDR is supported"
            )


def _domain(match: Match, at: FieldPath) -> Iterator[Violation]:
    # A domain is matched by SNI or Host header, and these protocols have neither.
    if match.protocol in {"tcp", "mysql"}:
        yield at.field("protocol").violation(
            f"protocol {match.protocol} is not supported for a domain"
        )
    if _PARTIAL_WILDCARD.match(match.value):
        yield at.field("value").violation(
            "provided DNS has incorrect value, partial wildcard is currently not supported"
        )
    # The virtual hosts of all ports would be one, with every wildcard in it.
    if match.port is None and match.value.startswith("*") and match.protocol in LAYER_7:
        yield at.field("port").violation(
            "wildcard domains doesn't work for all ports and layer 7 protocol"
        )
    # A lone `*` is any host, and no name to check.
    domain = match.value.removeprefix("*.")
    if not domain.startswith("*") and not is_dns_name(domain):
        yield at.field("value").violation("provided DNS has incorrect value")


# A MeshSubset is no older form here: the only other one that singles out is by name or by labels.
KIND: Final = policy_kind("MeshPassthrough", MeshPassthrough, Conf, _violations, lambda _spec: ())
