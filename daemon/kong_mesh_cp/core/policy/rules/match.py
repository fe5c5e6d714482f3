"""Which part of a proxy a policy selects (docs/wire/policies.md#matching)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import destination_id, referred_id
from kong_mesh_cp.core.policy.rules.policy import Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import (
    HostListener,
    Listener,
    MeshGateway,
    Proxy,
    is_of_zone,
    listener_tags,
)
from kong_mesh_cp.core.policy.rules.subsets import Tags, selects
from kong_mesh_cp.core.policy.target_ref import TargetRef


@dataclass(frozen=True, slots=True)
class Selection:
    """The listeners of one proxy that a policy is about; false if it is not about the proxy."""

    listeners: tuple[Listener, ...] = ()
    host_listeners: tuple[HostListener, ...] = ()
    delegated_gateway: bool = False  # which has no inbounds that could be selected
    why_not: str = field(default="", compare=False)  # for people, of one that is false

    def __bool__(self) -> bool:
        return bool(self.listeners or self.host_listeners or self.delegated_gateway)


NOTHING: Final = Selection(why_not="its targetRef means none of the proxy's inbounds")
_OTHER_ZONE: Final = Selection(why_not="it is of another zone, and about proxies of that alone")
_OTHER_NAMESPACE: Final = Selection(why_not="it is of another namespace")
_OTHER_TYPE: Final = Selection(why_not="its proxyTypes are others")
_OTHER_TAGS: Final = Selection(why_not="no inbound has the tags of its targetRef")
_OTHER_PROXY: Final = Selection(why_not="its targetRef means other Dataplanes")
_OTHER_GATEWAY: Final = Selection(why_not="its targetRef means a gateway that it does not serve")


class UnresolvedTargetError(Exception):
    """A policy points at a route that is not there; the text is shown to users."""


def select(
    policy: Policy, proxy: Proxy, gateway: MeshGateway | None, routes: Iterable[Policy]
) -> Selection:
    """What `policy` selects of `proxy`, which serves `gateway` if it is a built-in one.

    A policy about a MeshHTTPRoute of `routes` selects what the route selects.
    Raises: UnresolvedTargetError.
    """
    target, tags = policy.target, policy.selected_tags
    # The cheap questions come first: this runs for each policy of a mesh and each proxy.
    if policy.only_zone is not None:
        selected = gateway.meta if gateway else proxy.meta
        if selected.origin not in ("", "global") and not is_of_zone(selected, policy.only_zone):
            return _OTHER_ZONE
    if policy.in_namespace_only and not _is_in_namespace(policy, proxy):
        return _OTHER_NAMESPACE
    # An empty list cannot be stored, so that absent is the only way to mean every type.
    if target.proxy_types and proxy.proxy_type not in target.proxy_types:
        return _OTHER_TYPE
    if tags is not None:
        return _select_by_tags(tags, proxy, gateway)
    match target.kind:
        # The route's own target decides, without routes, since a route cannot be about another
        # route.
        case "MeshHTTPRoute":
            return select(find_route(policy, routes), proxy, gateway, ())
        case "Dataplane":
            return _select_dataplane(policy, proxy)
        case "MeshGateway":
            return _select_gateway(policy, proxy, gateway)
        case _:
            # MeshExternalService and the like have no proxies. A write refuses them at the top
            # level; the text is for what a global control plane sends.
            raise UnresolvedTargetError(f"unsupported targetRef kind '{target.kind}'")


def find_route(policy: Policy, routes: Iterable[Policy]) -> Policy:
    """The MeshHTTPRoute that `policy` is about. Raises: UnresolvedTargetError."""
    for route in routes:
        if is_named(policy.target.name, policy.meta, route.meta):
            return route
    raise UnresolvedTargetError(
        f"couldn't resolve MeshHTTPRoute targetRef with name '{policy.target.name}'"
    )


def is_named(name: str, source: Meta, meta: Meta) -> bool:
    """`name`, said by a policy called `source`, means the resource called `meta`."""
    return source.mesh == meta.mesh and name == meta.display_name


def _is_in_namespace(policy: Policy, proxy: Proxy) -> bool:
    namespace = policy.meta.namespace
    return bool(namespace) and namespace == proxy.meta.namespace


def _select_dataplane(policy: Policy, proxy: Proxy) -> Selection:
    # A builtin gateway is configured through its MeshGateway, never as a Dataplane.
    if proxy.is_builtin_gateway or not _is_meant(policy.target, policy.meta, proxy.meta):
        return _OTHER_PROXY
    section = policy.target.section_name
    return Selection(
        listeners=tuple(
            inbound.listener
            for inbound in proxy.inbounds
            # By the name alone: an inbound without a name is not found by its port's number.
            if not inbound.ignored and section in ("", inbound.name)
        ),
        delegated_gateway=proxy.is_delegated_gateway,
    )


def _is_meant(target: TargetRef, source: Meta, proxy: Meta) -> bool:
    if target.name:
        return destination_id(proxy) == referred_id(target, source)
    if target.labels:
        return target.labels.items() <= proxy.labels.items()
    return not target.namespace


def _select_gateway(policy: Policy, proxy: Proxy, gateway: MeshGateway | None) -> Selection:
    if gateway is None or not is_named(policy.target.name, policy.meta, gateway.meta):
        return _OTHER_GATEWAY
    return _select_by_tags(policy.target.tags, proxy, gateway)


def _select_by_tags(tags: Tags, proxy: Proxy, gateway: MeshGateway | None) -> Selection:
    inbounds = [
        inbound.listener
        for inbound in proxy.inbounds
        if not inbound.ignored and selects(tags, inbound.tags)
    ]
    # Listeners count only where the proxy serves the gateway; for a sidecar there is none.
    if gateway is None and proxy.gateway is None:
        return Selection(tuple(dict.fromkeys(inbounds))) if inbounds else _OTHER_TAGS
    hosts = [
        HostListener(proxy.address, listener.port, listener.hostname)
        for listener in (gateway.listeners if gateway else ())
        if gateway and selects(tags, listener_tags(proxy, gateway, listener))
    ]
    ports = [Listener(host.address, host.port) for host in hosts]
    return Selection(
        # Several hosts share a port, and are one listener of Envoy.
        listeners=tuple(dict.fromkeys([*inbounds, *ports])),
        host_listeners=tuple(hosts),
        delegated_gateway=(
            proxy.gateway is not None
            and not proxy.gateway.builtin
            and selects(tags, proxy.gateway.tags)
        ),
    )
