"""Services outside of the mesh, in the older form: known by their tags.

Source: docs/wire/older-policies.md#services-outside-of-the-mesh
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import split_host_port
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.meshes.spiffe import MESH_TAG
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService, Tls
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import EXTERNAL_SERVICE, SERVICE, ZONE, Tags
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs, protocol_of_all
from kong_mesh_cp.core.xds.services.service_endpoints import egress_places

ByName = Mapping[str, Resource[object]]

EXTERNAL: Final = "ExternalService"
SECRET: Final = "Secret"  # noqa: S105 (a type of resource)


class OutsideName(NamedTuple):
    """A name in a certificate, or how it begins."""

    is_prefix: bool
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideTls:
    """How TLS is spoken to what is no proxy. Certificates and keys are PEM; None: there is none."""

    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str = ""  # "": the name of the host
    any_name: bool = False  # whatever name its certificate has
    allow_renegotiation: bool = False
    authority_file: str = ""  # of the proxy's machine, where there is no `authority`
    names: tuple[OutsideName, ...] = ()  # that its certificate may have besides
    versions: tuple[str, str] | None = None  # the least and the most, as a `TlsVersion` says them


@dataclass(frozen=True, slots=True)
class ExternalPlace:
    """One ExternalService: where it is reached, and how it is spoken to."""

    name: str
    endpoint: Endpoint
    tls: OutsideTls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDestination:
    """All ExternalServices with one service tag."""

    protocol: str
    places: tuple[ExternalPlace, ...] = ()  # where callers go themselves
    gates: tuple[Endpoint, ...] = ()  # egresses through which they go instead
    faults: tuple[str, ...] = ()  # why some of the places are not there

    @property
    def is_known(self) -> bool:
        """There is some way to it."""
        return bool(self.places or self.gates)


def external_of(
    mesh: Mesh, zone: str, resources: Mapping[str, ByName]
) -> Mapping[str, ExternalDestination]:
    """By service tag, in a mesh with `resources` by type and name, seen from the zone called
    `zone`. Of a mesh whose traffic leaves by the egress all is at its egresses.
    """
    routing = mesh.routing
    by_zone = _Zones(zone, aware=routing is not None and routing.locality_aware_load_balancing)
    found: dict[str, list[Resource[ExternalService]]] = {}
    for each in resources.get(EXTERNAL, {}).values():
        if has_spec(each, ExternalService):
            found.setdefault(each.spec.tags.get(SERVICE, ""), []).append(each)
    if routing is not None and routing.zone_egress:
        ways = tuple((address, port) for address, port in egress_places(resources) if address)
        return {name: _through(ways, some, by_zone) for name, some in found.items()}
    secrets = secrets_of(resources)
    return {name: _direct(some, by_zone, secrets) for name, some in found.items()}


def at_egress(
    mesh: Resource[Mesh], zone: str, resources: Mapping[str, ByName]
) -> Mapping[str, ExternalDestination]:
    """By service tag, as the egress of `zone` reaches those that are in its zone, or in any."""
    found: dict[str, list[Resource[ExternalService]]] = {}
    for each in resources.get(EXTERNAL, {}).values():
        if has_spec(each, ExternalService) and each.spec.tags.get(ZONE, "") in ("", zone):
            found.setdefault(each.spec.tags.get(SERVICE, ""), []).append(each)
    secrets, routing = secrets_of(resources), mesh.spec.routing
    aware = routing is not None and routing.locality_aware_load_balancing
    by_zone = _Zones(zone, aware=aware, mesh=mesh.name)
    return {name: _direct(some, by_zone, secrets) for name, some in found.items()}


def secrets_of(resources: Mapping[str, ByName]) -> Mapping[str, bytes]:
    """The Secrets of a mesh, by name."""
    return {
        each.name: each.spec.data or b""
        for each in resources.get(SECRET, {}).values()
        if has_spec(each, Secret)
    }


class NotLoadedError(Exception):
    """Why the bytes of a source are not to be had."""


@dataclass(frozen=True, slots=True)
class _Zones:
    """How endpoints are told apart by their zone."""

    own: str
    aware: bool
    mesh: str = ""  # that endpoints are marked with; "": they are all of one

    def endpoint(self, address: str, port: int, tags: Tags) -> Endpoint:
        zone = tags.get(ZONE)
        if self.mesh:
            tags = {**tags, MESH_TAG: self.mesh}
        is_remote = self.aware and zone is not None and zone != self.own
        return Endpoint(address, port, pairs(tags), zone=zone, priority=int(is_remote))


def _through(
    ways: tuple[tuple[str, int], ...], services: list[Resource[ExternalService]], zones: _Zones
) -> ExternalDestination:
    gates = tuple(
        zones.endpoint(address, port, each.spec.tags) for each in services for address, port in ways
    )
    # While there is no egress nothing is known of what is behind it.
    return ExternalDestination(protocol=protocol_of_all(gates), gates=gates)


def _direct(
    services: list[Resource[ExternalService]], zones: _Zones, secrets: Mapping[str, bytes]
) -> ExternalDestination:
    places: list[ExternalPlace] = []
    faults: list[str] = []
    for each in services:
        networking = each.spec.networking
        host, port = split_host_port(networking.address if networking else "") or ("", "")
        if not host or not port.isdigit():
            faults.append(f"ExternalService {go_quote(each.name)} has no address")
            continue
        said = networking.tls if networking is not None else None
        try:
            tls = None if said is None or not said.enabled else _tls(said, secrets)
        except NotLoadedError as error:
            faults.append(f"ExternalService {go_quote(each.name)} is left out: {error}")
            continue
        # By this tag its endpoint finds its own TLS among that of the others.
        tags = each.spec.tags if tls is None else {**each.spec.tags, EXTERNAL_SERVICE: each.name}
        places.append(ExternalPlace(each.name, zones.endpoint(host, int(port), tags), tls))
    protocol = protocol_of_all(each.endpoint for each in places)
    return ExternalDestination(protocol=protocol, places=tuple(places), faults=tuple(faults))


def _tls(said: Tls, secrets: Mapping[str, bytes]) -> OutsideTls:
    return OutsideTls(
        authority=loaded("caCert", said.ca_cert, secrets),
        certificate=loaded("clientCert", said.client_cert, secrets),
        key=loaded("clientKey", said.client_key, secrets),
        server_name=said.server_name or "",
        any_name=bool(said.skip_hostname_verification),
        allow_renegotiation=bool(said.allow_renegotiation),
    )


def loaded(member: str, source: DataSource | None, secrets: Mapping[str, bytes]) -> bytes | None:
    """What `member` refers to. Raises: NotLoadedError."""
    match source:
        case None:
            return None
        case DataSource(inline=bytes() as inline):
            return inline
        case DataSource(inline_string=str() as text):
            return text.encode()
        case DataSource(secret=str() as name):
            if name in secrets:
                return secrets[name]
            raise NotLoadedError(f"{member} names the Secret {go_quote(name)}, which is not there")
        case _:
            # A file would be one of the control plane: which of them, any user could say.
            raise NotLoadedError(f"{member} has to be a secret, inline or inlineString")
