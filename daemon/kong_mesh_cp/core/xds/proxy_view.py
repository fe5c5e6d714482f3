"""All that decides what one proxy is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Inbound, IpFamilyMode, Networking
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.xds.bootstrap.socket_paths import metrics_socket
from kong_mesh_cp.core.xds.envoy.http import Cidrs, HttpTerms
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.services.backends import Destined
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs

LOCALHOST: Final = "127.0.0.1"
_LOOPBACK: Final = (LOCALHOST, "::1")


class KeyPair(NamedTuple):
    """A certificate chain and its key, in PEM."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminTls:
    """With what the control plane and a proxy's admin listener prove who they are."""

    server: KeyPair
    authority: bytes  # PEM; of the control plane's own certificate, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The certificate of a proxy in its mesh, and the authorities that it trusts, in PEM."""

    pair: KeyPair
    authorities: Mapping[str, bytes]  # by mesh
    # What stands for all of them together, where they stand for themselves; None: they do.
    sample: bytes | None = None

    @property
    def together(self) -> bytes:
        """All authorities in one bundle, by the names of their meshes."""
        if self.sample is not None:
            return self.sample
        bundles = (self.authorities[mesh] for mesh in sorted(self.authorities))
        return b"".join(each.rstrip(b"\n") + b"\n" for each in bundles if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationTerms:
    """What holds for all proxies of a control plane."""

    internal: Cidrs = ()  # addresses that count as internal: ipam.knownInternalCIDRs


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundTarget:
    """One address at which a proxy takes traffic to a destination."""

    address: str
    port: int
    tags: TagPairs = ()  # of a service by its tag
    resource: DestinationId | None = None  # of a service that is a resource

    @property
    def to(self) -> Destined:
        return self.tags if self.resource is None else self.resource

    @property
    def service(self) -> str:
        return dict(self.tags).get(SERVICE, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyView:
    """One data plane proxy in its mesh."""

    dataplane: Resource[Dataplane]
    metadata: ProxyMetadata
    world: MeshWorld
    terms: GenerationTerms = field(default_factory=GenerationTerms)
    admin_tls: AdminTls | None = None
    identity: Identity | None = None
    with_shadow: bool = False  # as if policies that are only tried out had their effect

    @property
    def networking(self) -> Networking:
        return self.dataplane.spec.networking or Networking()

    @property
    def is_redirected(self) -> bool:
        """Its listeners get what is redirected to the proxy, and listen nowhere themselves."""
        return is_redirected(self.networking)

    @property
    def takes_all_traffic(self) -> bool:
        """It is a transparent proxy for the IP version of its own address."""
        transparent = self.networking.transparent_proxying
        if transparent is None or not self.is_redirected:
            return False
        if ":" in self.networking.address:
            return transparent.ip_family_mode is not IpFamilyMode.IPv4
        return True

    @property
    def metrics_socket(self) -> str:
        """Where kuma-dp answers those who scrape the proxy."""
        return metrics_socket(self.metadata.workdir, self.dataplane.name, self.world.name)

    @property
    def http_terms(self) -> HttpTerms:
        return HttpTerms(internal=self.terms.internal, ipv6=self.metadata.ipv6)


def is_redirected(networking: Networking) -> bool:
    """All traffic of its machine, both ways, goes through the proxy."""
    transparent = networking.transparent_proxying
    return (
        transparent is not None
        and transparent.redirect_port_inbound != 0
        and transparent.redirect_port_outbound != 0
    )


def source_past_redirection(address: str) -> str:
    """From where a redirected proxy reaches its application: other calls come to it again.

    "": from anywhere, as what goes to loopback addresses is not redirected.
    """
    if address in _LOOPBACK:
        return ""
    return "::6" if ":" in address else "127.0.0.6"


def reached_at(networking: Networking) -> str:
    """The address at which others reach a proxy: behind NAT not where it listens."""
    return networking.advertised_address or networking.address


def admin_addresses(dataplane: Dataplane) -> tuple[str, ...]:
    """Where a proxy's admin listener is reached: what its certificate is for."""
    networking = dataplane.networking or Networking()
    found = (networking.address, networking.advertised_address)
    return tuple(dict.fromkeys(each for each in found if each))


class InboundPlace(NamedTuple):
    """Where an inbound listens, and where its application does."""

    address: str
    port: int
    workload_address: str
    workload_port: int


def place_of(inbound: Inbound, networking: Networking) -> InboundPlace:
    address = inbound.address or networking.address
    return InboundPlace(
        address,
        inbound.port,
        inbound.service_address or address,
        inbound.service_port or inbound.port,
    )
