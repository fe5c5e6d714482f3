"""ZoneIngress and ZoneEgress: the proxies between zones (wire contract 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.resources.addresses import is_same_ip
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.dataplane import EnvoyAdmin
from kong_mesh_cp.core.resources.kinds.dataplane_rules import LOOPBACK
from kong_mesh_cp.core.resources.proto import EMPTY, Message, Uint32
from kong_mesh_cp.core.resources.tags import (
    TagRules,
    address_violations,
    port_violations,
    tag_violations,
)
from kong_mesh_cp.core.resources.violations import FieldPath, Violation, root

_NETWORKING: Final = root("networking")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressNetworking(Message):
    address: str = ""
    advertised_address: str = ""
    port: Uint32 = 0
    advertised_port: Uint32 = 0
    admin: EnvoyAdmin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableService(Message):
    tags: Mapping[str, str] = EMPTY
    instances: Uint32 = 0
    mesh: str = ""
    external_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIngress(Message):
    """`zone` and `available_services` are filled by the control plane."""

    zone: str = ""
    networking: IngressNetworking | None = None
    available_services: tuple[AvailableService, ...] = ()

    @property
    def proxy_type(self) -> str:
        """The value of the label `kuma.io/proxy-type`."""
        return "zoneingress"


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressNetworking(Message):
    address: str = ""
    port: Uint32 = 0
    admin: EnvoyAdmin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEgress(Message):
    """`zone` is filled by the control plane."""

    zone: str = ""
    networking: EgressNetworking | None = None

    @property
    def proxy_type(self) -> str:
        """The value of the label `kuma.io/proxy-type`."""
        return "zoneegress"


def ingress_violations(ingress: ZoneIngress) -> list[Violation]:
    """Everything that is wrong with a ZoneIngress by itself."""
    networking = ingress.networking or IngressNetworking()
    found = _admin(networking.admin, networking.address, networking.port)
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
    if admin is None or admin.port != port or not is_same_ip(LOOPBACK, address):
        return []
    return [_NETWORKING.field("admin").field("port").violation("must differ from port")]


def _address(path: FieldPath, address: str) -> list[Violation]:
    # Clients see `networking.address.address`.
    return address_violations(path, address) if address else []


INGRESS_KIND: Final[Kind[ZoneIngress]] = proto_kind("ZoneIngress", ZoneIngress, ingress_violations)
EGRESS_KIND: Final[Kind[ZoneEgress]] = proto_kind("ZoneEgress", ZoneEgress, egress_violations)
