"""MeshService: a service of one zone, and the proxies that are it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kinds.services.address_status import (
    Addresses,
    GeneratorStatuses,
    Vips,
)
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.schema.record_terms import (
    EMPTY_IF_ABSENT,
    OMIT_EMPTY,
    Formerly,
    IntOrText,
    OneOf,
    Unsigned32,
)
from kong_mesh_cp.core.schema.value_checks import label_name

OptionalText = Annotated[str, OMIT_EMPTY]
OptionalCount = Annotated[int, OMIT_EMPTY]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneRef:
    """One proxy by its name."""

    name: OptionalText = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """The proxies that offer the service: by tags, by labels, or one by name."""

    # As generated: the service tag alone. One written by hand may have any tags.
    dataplane_tags: Mapping[str, str] | None = None
    dataplane_ref: DataplaneRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """`target_port` is the port of the proxies, or the name of one of their inbounds."""

    name: OptionalText = ""
    port: Unsigned32
    # A number, or the name of an inbound; absent is the port itself.
    target_port: IntOrText | None = None
    app_protocol: Annotated[str, Formerly("protocol")] = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the certificates of the service's proxies are known by."""

    type: Annotated[str, OneOf(("ServiceTag",))]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshService:
    """A service of one zone: its proxies and its ports."""

    # Written by the control plane, though it is part of the spec: it travels to other zones with
    # it.
    state: Annotated[str, OneOf(("Available", "Unavailable"))] = "Unavailable"
    selector: Annotated[Selector, EMPTY_IF_ABSENT]
    ports: Annotated[tuple[Port, ...], OMIT_EMPTY] = ()
    identities: Annotated[tuple[Identity, ...], OMIT_EMPTY] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsStatus:
    """Whether all proxies of the service take TLS."""

    status: Annotated[str, OneOf(("Ready", "NotReady")), OMIT_EMPTY] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneProxies:
    """The proxies of the service by status."""

    connected: OptionalCount = 0
    healthy: OptionalCount = 0
    total: OptionalCount = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServiceStatus:
    """What the control plane adds to it: addresses, TLS and counts."""

    addresses: Addresses = ()
    vips: Vips = ()
    tls: Annotated[TlsStatus, EMPTY_IF_ABSENT]
    hostname_generators: GeneratorStatuses = ()
    dataplane_proxies: Annotated[DataplaneProxies, EMPTY_IF_ABSENT]


# Without checks of the spec beyond the schema: Kuma has none.
KIND: Final = plugin_kind(
    "MeshService", MeshService, name_violations=label_name, status_type=MeshServiceStatus
)
