"""ZoneIngress and ZoneEgress: the proxies between zones (docs/wire/dataplanes.md#zone-proxies)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import is_same_ip
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.dataplane import EnvoyAdmin
from kong_mesh_cp.core.resources.kinds.dataplane_rules import LOOPBACK
from kong_mesh_cp.core.resources.tags import (
    TagRules,
    address_violations,
    port_violations,
    tag_violations,
)
from kong_mesh_cp.core.schema.messages import EMPTY, Message, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

_NETWORKING: Final = root("networking")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressNetworking(Message):
    """Where a zone ingress listens, and where other zones reach it."""

    address: str = proto("", number=1)
    advertised_address: str = proto("", number=2)
    port: Uint32 = proto(0, number=3)
    advertised_port: Uint32 = proto(0, number=4)
    admin: EnvoyAdmin | None = proto(number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableService(Message):
    """A service of the zone that other zones reach through the ingress."""

    tags: Mapping[str, str] = proto(EMPTY, number=1)
    instances: Uint32 = proto(0, number=2)
    mesh: str = proto("", number=3)
    # An external service of the zone that other zones reach through this ingress and its egress.
    external_service: bool = proto(default=False, number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIngress(Message):
    """`zone` and `available_services` are filled by the control plane."""

    zone: str = proto("", number=1)
    networking: IngressNetworking | None = proto(number=2)
    available_services: tuple[AvailableService, ...] = proto((), number=3)

    @property
    def proxy_type(self) -> str:
        """The value of the label `kuma.io/proxy-type`."""
        return "zoneingress"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressNetworking(Message):
    """Where a zone egress listens."""

    address: str = proto("", number=1)
    port: Uint32 = proto(0, number=2)
    admin: EnvoyAdmin | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEgress(Message):
    """`zone` is filled by the control plane."""

    zone: str = proto("", number=1)
    networking: EgressNetworking | None = proto(number=2)

    @property
    def proxy_type(self) -> str:
        """The value of the label `kuma.io/proxy-type`."""
        return "zoneegress"


def ingress_violations(ingress: ZoneIngress) -> list[Violation]:
    """Everything that is wrong with a ZoneIngress by itself."""
    # Absent is empty here, other than for a Dataplane: the address is optional, and the port's text
    # says what lacks.
    networking = ingress.networking or IngressNetworking()
    # The order of the checks is Kuma's, and so that of the texts.
    found = _admin(networking.admin, networking.address, networking.port)
    # An address without a port, or the reverse, leaves other zones with half a destination.
    if networking.advertised_port and not networking.advertised_address:
        at = _NETWORKING.field("advertisedAddress")
        found.append(at.violation("has to be defined with advertisedPort"))
    if networking.advertised_address and not networking.advertised_port:
        at = _NETWORKING.field("advertisedPort")
        found.append(at.violation("has to be defined with advertisedAddress"))
    found += _address(_NETWORKING.field("address"), networking.address)
    found += _address(_NETWORKING.field("advertisedAddress"), networking.advertised_address)
    found += port_violations(_NETWORKING.field("port"), networking.port)
    if networking.advertised_port:
        found += port_violations(_NETWORKING.field("advertisedPort"), networking.advertised_port)
    rules = TagRules(service_required=True)
    for index, service in enumerate(ingress.available_services):
        # Singular in the path, though the member is `availableServices`: the text that clients
        # know.
        at = root("availableService").index(index).field("tags")
        found += tag_violations(at, service.tags, rules)
    return found


def egress_violations(egress: ZoneEgress) -> list[Violation]:
    """Everything that is wrong with a ZoneEgress by itself."""
    networking = egress.networking or EgressNetworking()
    found = _admin(networking.admin, networking.address, networking.port)
    found += _address(_NETWORKING.field("address"), networking.address)
    return found + port_violations(_NETWORKING.field("port"), networking.port)


def _admin(admin: EnvoyAdmin | None, address: str, port: int) -> list[Violation]:
    # See dataplane_rules: Envoy's admin API is on loopback, so a listener elsewhere is no conflict.
    if admin is None or admin.port != port or not is_same_ip(LOOPBACK, address):
        return []
    return [_NETWORKING.field("admin").field("port").violation("must differ from port")]


def _address(path: FieldPath, address: str) -> list[Violation]:
    # Clients see `networking.address.address`.
    return address_violations(path, address) if address else []


INGRESS_KIND: Final[Kind[ZoneIngress]] = proto_kind("ZoneIngress", ZoneIngress, ingress_violations)
EGRESS_KIND: Final[Kind[ZoneEgress]] = proto_kind("ZoneEgress", ZoneEgress, egress_violations)
