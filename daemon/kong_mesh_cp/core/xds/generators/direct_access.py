"""Instances of services that a transparent proxy calls by their own addresses.

Source: docs/wire/virtual-addresses.md#direct-access
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Networking
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.http import tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import TCP_PROXY, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.envoy.tls import upstream_tls
from kong_mesh_cp.core.xds.facts.logged_traffic import OUTBOUND
from kong_mesh_cp.core.xds.generators.older.passing_logs import PassingLog, passing_log
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    DIRECT_ACCESS,
    LISTENER,
    direct_access_listener,
)
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView, place_of
from kong_mesh_cp.core.xds.world import DATAPLANE

ANY_SERVICE: Final = "*"
CONNECT: Final = 5 * SECOND

Places = frozenset[tuple[str, int]]


def direct_access(view: ProxyView, targets: Iterable[OutboundTarget], draft: Draft) -> None:
    """`targets` are the other outbounds of the proxy."""
    transparent = view.networking.transparent_proxying
    if transparent is None or not view.is_redirected or not transparent.direct_access_services:
        return
    log = passing_log(view, draft)
    taken = {(each.address, each.port) for each in targets}
    for address, port in sorted(_instances(view, frozenset(transparent.direct_access_services))):
        if (address, port) not in taken:
            name = direct_access_listener(address, port)
            draft.add(LISTENER, name, _listener, address, port, log)
    mesh = view.world.name if view.world.authority is not None else ""
    draft.add(CLUSTER, DIRECT_ACCESS, _cluster, mesh)
    if mesh:
        draft.trusted.add(mesh)


def _instances(view: ProxyView, services: frozenset[str]) -> Iterable[tuple[str, int]]:
    for name, resource in view.world.of_type(DATAPLANE).items():
        if name == view.dataplane.name or not has_spec(resource, Dataplane):
            continue
        networking = resource.spec.networking or Networking()
        for inbound in networking.inbound:
            if ANY_SERVICE in services or inbound.tags.get(SERVICE, "") in services:
                place = place_of(inbound, networking)
                yield place.address, place.port


def _listener(name: str, address: str, port: int, log: PassingLog | None) -> Message:
    draft = ListenerDraft(name, address, port, inbound=False)
    draft.take_redirected()
    chain = ChainDraft()
    chain.filters.append((TCP_PROXY, tcp_proxy(name, (DIRECT_ACCESS, 0))))
    if log is not None:
        log.log(chain, OUTBOUND, name)
    draft.chains.append(chain)
    return draft.whole()


def _cluster(name: str, mesh: str) -> Message:
    """Who it is that was called is not known: any proxy of `mesh` is right, where it has mTLS."""
    draft = ClusterDraft(name)
    draft.to_original()
    draft.connect_within(CONNECT)
    if mesh:
        draft.tls = upstream_tls(mesh, mesh, (), "")
    return draft.whole()
