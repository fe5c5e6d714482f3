"""Proxies as services see them: what they offer, and which of them a MeshService selects.

Source: docs/wire/services.md#proxies-of-a-service
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, InboundState
from kong_mesh_cp.core.resources.tags import SERVICE, Tags

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.services.mesh_service import Port, Selector


class OfferedInbound(NamedTuple):
    """An inbound, as far as a service has to do with it."""

    name: str
    port: int
    tags: Tags
    is_ready: bool


class ServiceProxy(NamedTuple):
    """A Dataplane, likewise."""

    name: str
    created_at: datetime
    inbounds: tuple[OfferedInbound, ...]
    identities: frozenset[str]  # the services that its certificate names

    @property
    def services(self) -> frozenset[str]:
        """What its inbounds stand for."""
        return frozenset(each.tags[SERVICE] for each in self.inbounds if SERVICE in each.tags)


class ProxyState(NamedTuple):
    """What its insight says: whether it is connected, and whether it ever got a certificate."""

    is_online: bool
    is_certified: bool


NEVER_CONNECTED = ProxyState(is_online=False, is_certified=False)


def service_proxy(name: str, created_at: datetime, dataplane: Dataplane) -> ServiceProxy:
    networking = dataplane.networking
    return ServiceProxy(
        name=name,
        created_at=created_at,
        inbounds=tuple(
            OfferedInbound(
                name=each.name,
                port=each.port,
                tags=each.tags,
                is_ready=each.is_ready and each.state is not InboundState.Ignored,
            )
            for each in (networking.inbound if networking else ())
        ),
        identities=frozenset(tags[SERVICE] for tags in dataplane.tag_sets if SERVICE in tags),
    )


def selects(selector: Selector, proxy: ServiceProxy) -> bool:
    """Whether `proxy` is a proxy of the service. A selector without tags selects none."""
    if selector.dataplane_ref is not None:
        return bool(proxy.inbounds) and selector.dataplane_ref.name == proxy.name
    wanted = selector.dataplane_tags
    return bool(wanted) and any(_carries(each.tags, wanted) for each in proxy.inbounds)


def _carries(tags: Tags, wanted: Mapping[str, str]) -> bool:
    return all(tags.get(name) == value for name, value in wanted.items())


def is_target(inbound: OfferedInbound, port: Port) -> bool:
    """Whether traffic to `port` of a service ends at `inbound`: by number, or by name."""
    if isinstance(port.target_port, int):
        return port.target_port == inbound.port
    return port.target_port == inbound.name


def is_healthy(proxy: ServiceProxy, ports: Iterable[Port]) -> bool:
    """Whether each of `ports` ends at an inbound that is ready."""
    return all(
        any(inbound.is_ready and is_target(inbound, port) for inbound in proxy.inbounds)
        for port in ports
    )
