"""Names of a mesh's secrets, and what is filled in on a write.

Pure: it says what is to be made. Who makes it does so in one transaction with the mesh.

Source: docs/wire/meshes.md#creation, docs/wire/meshes.md#metrics-backends,
docs/wire/dataplanes.md#dataplane
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Health, InboundState
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.metrics_backend import (
    PROMETHEUS,
    MetricsBackend,
    PrometheusConf,
    PrometheusTls,
    TlsMode,
)
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE
from kong_mesh_cp.core.schema.message_scalars import read_struct
from kong_mesh_cp.core.schema.messages import read_message, write_message

BUILTIN_CA: Final = "builtin"

METRICS_PORT: Final = 5670
METRICS_PATH: Final = "/metrics"
METRICS_SERVICE: Final = "dataplane-metrics"


@dataclass(frozen=True, slots=True)
class CaSecrets:
    """The two Secrets of a builtin certificate authority; both hold PEM."""

    backend: str
    certificate: str  # their names
    key: str


def ca_secrets(mesh_name: str, backend: CertificateAuthority) -> CaSecrets | None:
    """The Secrets that have to be there for `backend`; None when it keeps none of its own."""
    if backend.type != BUILTIN_CA:
        return None
    return CaSecrets(
        backend=backend.name,
        certificate=f"{mesh_name}.ca-builtin-cert-{backend.name}",
        key=f"{mesh_name}.ca-builtin-key-{backend.name}",
    )


def ca_secrets_of(mesh_name: str, mesh: Mesh) -> tuple[CaSecrets, ...]:
    """The Secrets of all backends of a mesh, for its creation and for each update."""
    backends = () if mesh.mtls is None else mesh.mtls.backends
    found = (ca_secrets(mesh_name, backend) for backend in backends)
    return tuple(secrets for secrets in found if secrets is not None)


def dataplane_signing_key(mesh_name: str, serial: int = 1) -> str:
    """The name of the Secret that signs tokens of a mesh's proxies."""
    return f"dataplane-token-signing-key-{mesh_name}-{serial}"


def filled_in(spec: object, zone: str, *, is_new: bool) -> object:
    """`spec`, of any type, with what is filled in at a write."""
    match spec:
        case Mesh():
            return with_metrics_defaults(spec)
        case Dataplane():
            tagged = with_zone_tag(spec, zone)
            return with_unproven_inbounds(tagged) if is_new else tagged
        case _:
            return spec


def with_metrics_defaults(mesh: Mesh) -> Mesh:
    """`mesh` as it is stored: its Prometheus backends say port, path, tags and TLS."""
    if mesh.metrics is None:
        return mesh
    backends = tuple(map(_filled_in, mesh.metrics.backends))
    return replace(mesh, metrics=replace(mesh.metrics, backends=backends))


def _filled_in(backend: MetricsBackend) -> MetricsBackend:
    if backend.type != PROMETHEUS:
        return backend
    try:
        conf = read_message(PrometheusConf, backend.conf)
    except ParseError:
        return backend  # validation has reported what is wrong with it
    filled = replace(
        conf,
        tls=conf.tls or PrometheusTls(mode=_tls_mode(conf)),
        port=conf.port or METRICS_PORT,
        path=conf.path or METRICS_PATH,
        tags=conf.tags or {SERVICE: METRICS_SERVICE},
    )
    return replace(backend, conf=read_struct(write_message(filled)))


def _tls_mode(conf: PrometheusConf) -> TlsMode:
    return TlsMode.disabled if conf.skip_mtls else TlsMode.activeMTLSBackend


def with_zone_tag(dataplane: Dataplane, zone: str) -> Dataplane:
    """`dataplane` as it is stored: each of its tag sets names the zone it is in."""
    networking = dataplane.networking
    if networking is None:
        return dataplane
    inbound = tuple(replace(each, tags={**each.tags, ZONE: zone}) for each in networking.inbound)
    gateway = networking.gateway
    if gateway is not None:
        gateway = replace(gateway, tags={**gateway.tags, ZONE: zone})
    return replace(dataplane, networking=replace(networking, inbound=inbound, gateway=gateway))


def with_unproven_inbounds(dataplane: Dataplane) -> Dataplane:
    """`dataplane` as it is created: what has a probe is not ready until the probe says so."""
    networking = dataplane.networking
    if networking is None:
        return dataplane
    inbound = tuple(
        each
        if each.service_probe is None
        else replace(each, state=InboundState.NotReady, health=Health(ready=False))
        for each in networking.inbound
    )
    return replace(dataplane, networking=replace(networking, inbound=inbound))
