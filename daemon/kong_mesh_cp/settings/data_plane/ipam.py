"""Addresses that proxies trust."""

from __future__ import annotations

import ipaddress
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import lists
from kong_mesh_cp.settings.data_plane.dns_server import NETWORK
from kong_mesh_cp.settings.forms import Form, MalformedError
from kong_mesh_cp.settings.options import option


def _networks(value: object) -> tuple[str, ...]:
    found = lists.words(value, NETWORKS.expected)
    for number, each in enumerate(found, start=1):
        try:
            ipaddress.ip_interface(each)
        except ValueError:
            raise MalformedError(
                f"must be {NETWORKS.expected}; number {number} is none", lists.COMMAS
            ) from None
    return found


NETWORKS = Form("a list of ranges of addresses, such as 10.0.0.0/8,fc00::/7", _networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServiceRange:
    """Virtual addresses of MeshServices."""

    cidr: str = option(
        NETWORK,
        default="241.0.0.0/8",
        environment="KUMA_IPAM_MESH_SERVICE_CIDR",
        doc="The range of the virtual addresses of MeshServices. Nothing else may be reached "
        "there. A service that has an address keeps it when the range is changed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshExternalServiceRange:
    """Virtual addresses of MeshExternalServices."""

    cidr: str = option(
        NETWORK,
        default="242.0.0.0/8",
        environment="KUMA_IPAM_MESH_EXTERNAL_SERVICE_CIDR",
        doc="As ipam.meshService.cidr, of MeshExternalServices.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMultiZoneServiceRange:
    """Virtual addresses of MeshMultiZoneServices."""

    cidr: str = option(
        NETWORK,
        default="243.0.0.0/8",
        environment="KUMA_IPAM_MESH_MULTI_ZONE_SERVICE_CIDR",
        doc="As ipam.meshService.cidr, of MeshMultiZoneServices.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IpamSettings:
    """Addresses, and what they say of who has one."""

    mesh_service: MeshServiceRange = field(default_factory=MeshServiceRange)
    mesh_external_service: MeshExternalServiceRange = field(
        default_factory=MeshExternalServiceRange
    )
    mesh_multi_zone_service: MeshMultiZoneServiceRange = field(
        default_factory=MeshMultiZoneServiceRange
    )
    known_internal_CIDRs: tuple[str, ...] = option(  # noqa: N815  as Kuma has it
        NETWORKS,
        default=(
            "10.0.0.0/8",
            "192.168.0.0/16",
            "172.16.0.0/12",
            "fc00::/7",
            "fd00::/8",
            "127.0.0.1/32",
            "::1/128",
        ),
        environment="KUMA_IPAM_KNOWN_INTERNAL_CIDRS",
        doc="The ranges of addresses that are internal: Envoy believes the headers for internal "
        "use that requests from there bring.",
    )
