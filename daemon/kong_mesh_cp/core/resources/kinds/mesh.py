"""Mesh: the space that proxies, policies and secrets live in.

Source: docs/wire/meshes.md#fields, docs/wire/meshes.md#checks
"""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.metrics_backend import MetricsBackend
from kong_mesh_cp.core.schema.messages import (
    EMPTY,
    Duration,
    Message,
    ProtoEnum,
    Struct,
    Uint32,
    proto,
)


class MtlsMode(ProtoEnum):
    """Whether proxies take only encrypted traffic."""

    __proto_name__ = "kuma.mesh.v1alpha1.CertificateAuthorityBackend.Mode"
    # The zero value, as proto3 has it for an absent mode: a mesh is strict unless it says
    # otherwise.
    STRICT = 0
    PERMISSIVE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation(Message):
    """How long the certificates of proxies are valid."""

    expiration: str = proto("", number=1)  # `1d`, `2y`; "" for the default of 24 h


@dataclass(frozen=True, slots=True, kw_only=True)
class DpCert(Message):
    """The certificates of proxies."""

    rotation: Rotation | None = proto(number=1)
    # Only authorities outside of the control plane are waited for; the builtin one answers at once.
    request_timeout: Duration | None = proto(number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootChain(Message):
    """How the certificates of the authority are asked for."""

    request_timeout: Duration | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority(Message):
    """A backend of mTLS; what `conf` holds depends on `type` (`builtin`, `provided`, …)."""

    name: str = proto("", number=1)
    type: str = proto("", number=2)
    dp_cert: DpCert | None = proto(number=3)
    # Kept as it came: a backend of a plugin that is not there has members that are unknown here.
    conf: Struct | None = proto(number=4)
    mode: MtlsMode = proto(MtlsMode.STRICT, number=5)
    root_chain: RootChain | None = proto(number=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mtls(Message):
    """The authorities of a mesh, and which of them signs."""

    enabled_backend: str = proto("", number=1)  # "" for no mTLS
    backends: tuple[CertificateAuthority, ...] = proto((), number=2)
    skip_validation: bool = proto(default=False, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipkinConf(Message):
    """Where Zipkin takes spans, and in which form."""

    url: str = proto("", number=1)
    trace_id_128bit: bool = proto(default=False, number=2)
    api_version: str = proto("", number=3)  # "": JSON over HTTP
    shared_span_context: bool | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatadogConf(Message):
    """Where an agent of Datadog takes spans, and whether a service is shown in parts."""

    address: str = proto("", number=1)
    port: Uint32 = proto(0, number=2)
    split_service: bool = proto(default=False, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingBackend(Message):
    """A collector of spans; what `conf` holds depends on `type`."""

    name: str = proto("", number=1)
    sampling: float | None = proto(number=2)  # per cent
    type: str = proto("", number=3)
    conf: Struct | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing(Message):
    """The collectors of spans of a mesh."""

    default_backend: str = proto("", number=1)
    backends: tuple[TracingBackend, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpConf(Message):
    """Where a collector of logs takes lines."""

    address: str = proto("", number=1)  # `host:port`


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConf(Message):
    """The file that a proxy writes lines to, on its own machine."""

    path: str = proto("", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingBackend(Message):
    """A destination of access logs; what `conf` holds depends on `type`."""

    name: str = proto("", number=1)
    format: str = proto("", number=2)
    type: str = proto("", number=3)
    conf: Struct | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging(Message):
    """The destinations of access logs of a mesh."""

    default_backend: str = proto("", number=1)
    backends: tuple[LoggingBackend, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Message):
    """The metrics backends of a mesh, and which of them is in use."""

    enabled_backend: str = proto("", number=1)
    backends: tuple[MetricsBackend, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound(Message):
    """Traffic that leaves the mesh."""

    passthrough: bool | None = proto(number=1)  # unset is true


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking(Message):
    """Traffic that crosses the border of the mesh."""

    outbound: Outbound | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Message):
    """How traffic between services and zones is routed."""

    locality_aware_load_balancing: bool = proto(default=False, number=1)
    # All traffic to external services leaves by the egress, and none without it.
    zone_egress: bool = proto(default=False, number=2)
    default_forbid_mesh_external_service_access: bool = proto(default=False, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership(Message):
    """Tags that a rule looks for; the value `*` is any."""

    tags: Mapping[str, str] = proto(EMPTY, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConstraints(Message):
    """A proxy fulfils one of the requirements, if there are any, and no restriction."""

    requirements: tuple[Membership, ...] = proto((), number=1)
    restrictions: tuple[Membership, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints(Message):
    """What a mesh asks of those who join."""

    dataplane_proxy: ProxyConstraints | None = proto(number=1)


class MeshServicesMode(ProtoEnum):
    """Whether MeshService resources are made for the services of a mesh."""

    __proto_name__ = "kuma.mesh.v1alpha1.Mesh.MeshServices.Mode"
    # `Everywhere` makes them beside the services by tag; `Exclusive` puts them in their place.
    Disabled = 0
    Everywhere = 1
    ReachableBackends = 2
    Exclusive = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServices(Message):
    """How services of a mesh become MeshService resources."""

    mode: MeshServicesMode = proto(MeshServicesMode.Disabled, number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh(Message):
    """Nothing is defaulted on a write: what is unset is read as its default where it matters."""

    mtls: Mtls | None = proto(number=1)
    tracing: Tracing | None = proto(number=2)
    logging: Logging | None = proto(number=3)
    metrics: Metrics | None = proto(number=4)
    networking: Networking | None = proto(number=5)
    routing: Routing | None = proto(number=6)
    constraints: Constraints | None = proto(number=7)
    # Names of types, or `*`; what is unknown in it is ignored, as Kuma ignores it.
    skip_creating_initial_policies: tuple[str, ...] = proto((), number=8)
    mesh_services: MeshServices | None = proto(number=9)

    @property
    def enabled_ca(self) -> CertificateAuthority | None:
        """The backend in force; None while mTLS is off."""
        if self.mtls is None or not self.mtls.enabled_backend:
            return None
        # A name without a backend is refused on a write; what a global control plane sends is taken
        # as it is, and then there is no authority.
        enabled = self.mtls.enabled_backend
        return next((each for each in self.mtls.backends if each.name == enabled), None)
