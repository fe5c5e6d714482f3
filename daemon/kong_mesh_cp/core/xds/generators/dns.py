"""The names that a transparent proxy answers for: what it has outbounds for.

Source: docs/wire/virtual-addresses.md#dns
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.meshes.virtual_outbounds import VirtualDestinations, VirtualDomain, v6_form
from kong_mesh_cp.core.resources.kinds.dataplane import IpFamilyMode
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.envoy_messages import DnsFilterConfig, Message, duration
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.names import DNS, LISTENER
from kong_mesh_cp.core.xds.proxy_view import LOCALHOST, OutboundTarget, ProxyView
from kong_mesh_cp.core.xds.services.known_services import ServiceResources
from kong_mesh_cp.core.xds.services.service_resources import SERVICE_TYPES

DNS_FILTER: Final = "envoy.filters.udp.dns_filter"
TTL: Final = 30 * SECOND
STATS: Final = "kuma_dns"

Table = tuple[tuple[str, tuple[str, ...]], ...]
"""Addresses by name, sorted by name."""


def dns(view: ProxyView, targets: tuple[OutboundTarget, ...], draft: Draft) -> None:
    """`targets` are the outbounds of the proxy."""
    transparent = view.networking.transparent_proxying
    if transparent is None or not view.metadata.dns_port:
        return
    ipv6 = transparent.ip_family_mode is not IpFamilyMode.IPv4
    addresses, services = view.world.addresses, view.world.services
    # Held with what was made of them: the key only says which objects they were.
    table, _ = draft.parts.made(
        ("names", id(addresses), id(services), id(targets), ipv6),
        lambda: (
            _HashedTable(_table(_domains(addresses, services), targets, ipv6=ipv6)),
            (addresses, services, targets),
        ),
    )
    draft.add(LISTENER, DNS, _listener, view.metadata.dns_port, table)


class _HashedTable:
    """A table that knows its hash: of a thousand names it takes as long as all the rest."""

    __slots__ = ("_hash", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self._hash = hash(table)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, _HashedTable) and self.table == other.table


def _domains(addresses: VirtualDestinations, services: ServiceResources) -> Iterator[VirtualDomain]:
    yield from addresses.domains
    for service_type in SERVICE_TYPES:
        for each in services.of_type(service_type):
            if each.addresses:
                yield VirtualDomain(each.addresses[0], each.host_names)


def _table(
    domains: Iterable[VirtualDomain], targets: Iterable[OutboundTarget], *, ipv6: bool
) -> Table:
    reached = frozenset(each.address for each in targets)
    found: dict[str, tuple[str, ...]] = {}
    for domain in domains:
        # An answer without an outbound behind it would lead nowhere.
        if domain.address not in reached:
            continue
        other = v6_form(domain.address) if ipv6 else None
        answers = (domain.address,) if other is None else (domain.address, other)
        found |= dict.fromkeys(domain.names, answers)
    return tuple(sorted(found.items()))


def _listener(name: str, port: int, names: _HashedTable) -> Message:
    draft = ListenerDraft(name, LOCALHOST, port, inbound=True)
    draft.take_datagrams()
    config = DnsFilterConfig(stat_prefix=STATS)
    table = config.server_config.inline_dns_table
    table.SetInParent()
    for each, answers in names.table:
        domain = table.virtual_domains.add(name=each)
        domain.endpoint.address_list.address.extend(answers)
        domain.answer_ttl.CopyFrom(duration(TTL))
    draft.listener_filters.append((DNS_FILTER, config))
    return draft.whole()
