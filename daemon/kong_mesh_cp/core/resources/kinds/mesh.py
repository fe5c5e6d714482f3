"""Mesh: the space that proxies, policies and secrets live in (wire contract 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kong_mesh_cp.core.resources.metrics import MetricsBackend
from kong_mesh_cp.core.resources.proto import (
    EMPTY,
    Duration,
    Message,
    ProtoEnum,
    Struct,
)


class MtlsMode(ProtoEnum):
    """Whether proxies take only encrypted traffic."""

    __proto_name__ = "kuma.mesh.v1alpha1.CertificateAuthorityBackend.Mode"
    STRICT = 0
    PERMISSIVE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation(Message):
    expiration: str = ""  # `1d`, `2y`; "" for the default of 24 h


@dataclass(frozen=True, slots=True, kw_only=True)
class DpCert(Message):
    rotation: Rotation | None = None
    request_timeout: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RootChain(Message):
    request_timeout: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAuthority(Message):
    """A backend of mTLS; what `conf` holds depends on `type` (`builtin`, `provided`, …)."""

    name: str = ""
    type: str = ""
    dp_cert: DpCert | None = None
    conf: Struct | None = None
    mode: MtlsMode = MtlsMode.STRICT
    root_chain: RootChain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mtls(Message):
    enabled_backend: str = ""  # "" for no mTLS
    backends: tuple[CertificateAuthority, ...] = ()
    skip_validation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingBackend(Message):
    name: str = ""
    sampling: float | None = None  # per cent
    type: str = ""
    conf: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing(Message):
    default_backend: str = ""
    backends: tuple[TracingBackend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingBackend(Message):
    name: str = ""
    format: str = ""
    type: str = ""
    conf: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging(Message):
    default_backend: str = ""
    backends: tuple[LoggingBackend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Message):
    enabled_backend: str = ""
    backends: tuple[MetricsBackend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound(Message):
    passthrough: bool | None = None  # unset is true


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking(Message):
    outbound: Outbound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Message):
    locality_aware_load_balancing: bool = False
    zone_egress: bool = False
    default_forbid_mesh_external_service_access: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership(Message):
    """Tags that a rule looks for; the value `*` is any."""

    tags: Mapping[str, str] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConstraints(Message):
    """A proxy fulfils one of the requirements, if there are any, and no restriction."""

    requirements: tuple[Membership, ...] = ()
    restrictions: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints(Message):
    dataplane_proxy: ProxyConstraints | None = None


class MeshServicesMode(ProtoEnum):
    """Whether MeshService resources are made for the services of a mesh."""

    __proto_name__ = "kuma.mesh.v1alpha1.Mesh.MeshServices.Mode"
    Disabled = 0
    Everywhere = 1
    ReachableBackends = 2
    Exclusive = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServices(Message):
    mode: MeshServicesMode = MeshServicesMode.Disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh(Message):
    """Nothing is defaulted on a write: what is unset is read as its default where it matters."""

    mtls: Mtls | None = None
    tracing: Tracing | None = None
    logging: Logging | None = None
    metrics: Metrics | None = None
    networking: Networking | None = None
    routing: Routing | None = None
    constraints: Constraints | None = None
    skip_creating_initial_policies: tuple[str, ...] = ()
    mesh_services: MeshServices | None = None

    @property
    def enabled_ca(self) -> CertificateAuthority | None:
        """The backend in force; None while mTLS is off."""
        if self.mtls is None or not self.mtls.enabled_backend:
            return None
        enabled = self.mtls.enabled_backend
        return next((each for each in self.mtls.backends if each.name == enabled), None)
