"""Proxies and the gateways they serve, as matching sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.subsets import Tags, selects

ANY_HOSTNAME: Final = "*"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Listener(NamedTuple):
    """Where a proxy takes traffic: an inbound, or a listener of the gateway it serves."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class HostListener(NamedTuple):
    """A listener of a gateway for the requests of one host."""

    address: str
    port: int
    hostname: str = ANY_HOSTNAME

    def __str__(self) -> str:
        return f"{self.address}:{self.port}:{self.hostname}"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A port of the application; an ignored one is as if it were not there."""

    listener: Listener
    tags: Tags = field(default_factory=dict)
    name: str = ""
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class GatewayRole:
    """A proxy at the edge: builtin, it serves a MeshGateway; delegated, it is another program."""

    builtin: bool
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A Dataplane. `meta` may be a MeshGateway's where one asks what its proxies would get."""

    meta: Meta
    address: str = ""
    inbounds: tuple[Inbound, ...] = ()
    gateway: GatewayRole | None = None

    @property
    def is_builtin_gateway(self) -> bool:
        return self.gateway is not None and self.gateway.builtin

    @property
    def is_delegated_gateway(self) -> bool:
        return self.gateway is not None and not self.gateway.builtin

    @property
    def tag_sets(self) -> tuple[Tags, ...]:
        """The tags of each inbound, also of ignored ones, then those of the gateway."""
        sets = tuple(each.tags for each in self.inbounds)
        return sets if self.gateway is None else (*sets, self.gateway.tags)

    @property
    def proxy_type(self) -> str:
        """As `proxyTypes` of a targetRef say it (docs/wire/policies.md#matching)."""
        return "Sidecar" if self.gateway is None else "Gateway"


@dataclass(frozen=True, slots=True)
class GatewayListener:
    """A listener of a MeshGateway, as far as policies select by it."""

    port: int
    hostname: str = ANY_HOSTNAME
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeshGateway:
    """A MeshGateway resource, as far as policies select by it."""

    meta: Meta
    selectors: tuple[Tags, ...] = ()
    tags: Tags = field(default_factory=dict)
    listeners: tuple[GatewayListener, ...] = ()
    created_at: datetime = _LONG_AGO


def served_gateway(proxy: Proxy, gateways: Iterable[MeshGateway]) -> MeshGateway | None:
    """The MeshGateway whose selector fits a built-in gateway best, the newest among equals."""
    if proxy.gateway is None or not proxy.gateway.builtin:
        return None
    best: tuple[tuple[int, int, datetime], MeshGateway] | None = None
    for gateway in sorted(gateways, key=lambda gateway: gateway.meta.name):
        if not _in_zone_of(proxy.meta, gateway.meta):
            continue
        for selector in gateway.selectors:
            if selects(selector, proxy.gateway.tags):
                fit = (*_rank(selector), gateway.created_at)
                if best is None or fit > best[0]:
                    best = fit, gateway
    return best[1] if best else None


def listener_tags(proxy: Proxy, gateway: MeshGateway, listener: GatewayListener) -> Tags:
    """What policies select a listener by; what is said closer to it wins."""
    of_proxy: Mapping[str, str] = proxy.gateway.tags if proxy.gateway else {}
    return {**of_proxy, **gateway.tags, **listener.tags}


def _rank(selector: Tags) -> tuple[int, int]:
    # More tags beat fewer, then exact values beat "*".
    return len(selector), sum(value != "*" for value in selector.values())


def _in_zone_of(proxy: Meta, gateway: Meta) -> bool:
    if gateway.origin in ("", "global") or proxy.zone is None:
        return True
    return is_of_zone(gateway, proxy.zone)


def is_of_zone(meta: Meta, zone: str) -> bool:
    """Made in `zone`. One made in an unnamed zone counts as made in this one."""
    return meta.origin == "zone" and meta.zone in (None, zone)
