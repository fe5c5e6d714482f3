"""All that decides what one zone proxy is told: every mesh, as its zone sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.xds.envoy.http import HttpTerms
from kong_mesh_cp.core.xds.names import inbound_listener
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.proxy_id import ProxyId
from kong_mesh_cp.core.xds.proxy_view import AdminTls, GenerationTerms, Identity
from kong_mesh_cp.core.xds.services.instances import Endpoint, GatewayService
from kong_mesh_cp.core.xds.world import EndpointKey, MeshWorld

SERVICES: Mapping[type[ZoneEgress | ZoneIngress], str] = {
    ZoneEgress: "zone-egress",
    ZoneIngress: "zone-ingress",
}
"""As which service zone proxies are known in certificates."""


def mesh_cluster(mesh: str, service: str) -> str:
    """A service by its tag as the zone knows it, and the name of its cluster: other meshes may have
    one of the same name.
    """
    return f"{mesh}:{service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneWorld:
    """A zone at one moment: its meshes by name, and all zone proxies that are known in it."""

    zone: str
    meshes: Mapping[str, MeshWorld]  # sorted by name
    ingresses: Mapping[str, Resource[object]]  # by name; of other zones, too
    egresses: Mapping[str, Resource[object]]

    @property
    def remote_ingresses(self) -> Iterator[Resource[ZoneIngress]]:
        """Those of other zones."""
        for each in self.ingresses.values():
            if has_spec(each, ZoneIngress) and each.spec.zone not in ("", self.zone):
                yield each

    @property
    def beside(self) -> tuple[object, ...]:
        """See `EndpointWorld`: what proxies pass on they find by its services alone."""
        return ()

    def behind(self, key: EndpointKey) -> tuple[Endpoint, ...] | None:
        """The endpoints of a `mesh_cluster`, or of a port; None: there are none."""
        if isinstance(key, str):
            mesh, _, service = key.partition(":")
            found = self.meshes.get(mesh)
            return None if found is None else found.endpoints.get(service)
        if isinstance(key, GatewayService):
            return None  # between meshes traffic passes by gateways, not by zone proxies
        found = self.meshes.get(key.mesh)
        return None if found is None else found.behind(key)

    def ingress(self, name: str) -> Resource[ZoneIngress] | None:
        found = self.ingresses.get(name)
        return found if found is not None and has_spec(found, ZoneIngress) else None

    def egress(self, name: str) -> Resource[ZoneEgress] | None:
        found = self.egresses.get(name)
        return found if found is not None and has_spec(found, ZoneEgress) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneProxyView:
    """One zone proxy, an egress or an ingress, in its zone."""

    proxy: Resource[ZoneEgress] | Resource[ZoneIngress]
    metadata: ProxyMetadata
    world: ZoneWorld
    terms: GenerationTerms = field(default_factory=GenerationTerms)
    admin_tls: AdminTls | None = None
    identities: Mapping[str, Identity] = field(default_factory=dict)  # by mesh

    @property
    def id(self) -> str:
        """As Envoy's node has it: zone proxies are of no mesh."""
        return str(ProxyId("", self.proxy.name))

    @property
    def address(self) -> str:
        networking = self.proxy.spec.networking
        return "" if networking is None else networking.address

    @property
    def port(self) -> int:
        networking = self.proxy.spec.networking
        return 0 if networking is None else networking.port

    @property
    def listener(self) -> str:
        """The name of the one listener that its traffic comes in by."""
        return inbound_listener(self.address, self.port)

    @property
    def http_terms(self) -> HttpTerms:
        return HttpTerms(internal=self.terms.internal, ipv6=self.metadata.ipv6)

    @property
    def with_mtls(self) -> Iterator[MeshWorld]:
        """The meshes whose clients say in TLS what they want."""
        return (each for each in self.world.meshes.values() if speaks_tls(each.mesh.spec))


def speaks_tls(mesh: Mesh) -> bool:
    # As the original asks: a backend that is not there counts here.
    return mesh.mtls is not None and bool(mesh.mtls.enabled_backend)


def zone_proxy_addresses(spec: ZoneEgress | ZoneIngress) -> tuple[str, ...]:
    """Where its admin listener is reached: what the certificate of that is for."""
    networking = spec.networking
    return () if networking is None or not networking.address else (networking.address,)
