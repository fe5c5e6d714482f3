"""What no other listener of a transparent proxy takes: it goes to where it was meant for.

Source: docs/wire/virtual-addresses.md#passthrough
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kong_mesh_cp.core.resources.kinds.dataplane import IpFamilyMode
from kong_mesh_cp.core.xds import names
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy.clusters import original_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.http import tcp_proxy
from kong_mesh_cp.core.xds.envoy.listeners import TCP_PROXY, ChainDraft, ListenerDraft
from kong_mesh_cp.core.xds.facts.logged_traffic import EXTERNAL, PASSING
from kong_mesh_cp.core.xds.generators.older.passing_logs import PassingLog, passing_log
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER
from kong_mesh_cp.core.xds.proxy_view import ProxyView


class _Family(NamedTuple):
    """One of the two versions of IP."""

    ipv6: bool
    everywhere: str
    own: str  # from which the application is called: what comes from there is not redirected


_IPV4: Final = _Family(ipv6=False, everywhere="0.0.0.0", own="127.0.0.6")  # noqa: S104
_IPV6: Final = _Family(ipv6=True, everywhere="::", own="::6")


def passthrough(view: ProxyView, draft: Draft) -> None:
    transparent = view.networking.transparent_proxying
    if transparent is None or not transparent.redirect_port_outbound:
        return
    log = passing_log(view, draft)
    is_ipv4_only = transparent.ip_family_mode is IpFamilyMode.IPv4
    for family in (_IPV4,) if is_ipv4_only else (_IPV4, _IPV6):
        for inbound, port in (
            (False, transparent.redirect_port_outbound),
            (True, transparent.redirect_port_inbound),
        ):
            name = names.passthrough(inbound=inbound, ipv6=family.ipv6)
            own_log = None if inbound else log
            draft.add(LISTENER, name, _listener, family.everywhere, port, inbound, own_log)
            # Without the cluster the listener closes each connection, which is how a mesh forbids
            # what it does not know.
            if inbound or view.world.allows_passthrough:
                draft.add(CLUSTER, name, original_cluster, family.own if inbound else "")


def _listener(
    name: str,
    address: str,
    port: int,
    inbound: bool,  # noqa: FBT001 — arguments of a part are in their order
    log: PassingLog | None,
) -> Message:
    draft = ListenerDraft(name, address, port, inbound=inbound)
    draft.forward_to_original()
    chain = ChainDraft()
    chain.filters.append((TCP_PROXY, tcp_proxy(name, (name, 0))))
    if log is not None:
        log.log(chain, PASSING, EXTERNAL)
    draft.chains.append(chain)
    return draft.whole()
