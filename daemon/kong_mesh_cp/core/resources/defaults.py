"""What is born with a mesh, and what a control plane fills in on a write (wire contract 3.3, 3.4).

Pure: it says what is to be made. Who makes it does so in one transaction with the mesh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Health, InboundState
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.metrics import (
    PROMETHEUS,
    MetricsBackend,
    PrometheusConf,
    PrometheusTls,
    TlsMode,
)
from kong_mesh_cp.core.resources.proto import read_message, write_message
from kong_mesh_cp.core.resources.proto_scalars import read_struct
from kong_mesh_cp.core.resources.reading import ParseError
from kong_mesh_cp.core.resources.tags import SERVICE, ZONE

EVERY_POLICY: Final = "*"  # in `skipCreatingInitialPolicies`
BUILTIN_CA: Final = "builtin"

METRICS_PORT: Final = 5670
METRICS_PATH: Final = "/metrics"
METRICS_SERVICE: Final = "dataplane-metrics"

_WHOLE_MESH: Final = {"kind": "Mesh"}
_BACK_OFF: Final = {"baseInterval": "25ms", "maxInterval": "250ms"}
_RETRIES: Final = {"numRetries": 5, "perTryTimeout": "16s", "backOff": _BACK_OFF}
_ANY_SERVICE: Final = [{"match": {SERVICE: "*"}}]


@dataclass(frozen=True, slots=True)
class BornPolicy:
    """A policy as clients would put it; `body` follows the meta in its JSON."""

    type: str
    name: str
    body: Mapping[str, object]


def _for_whole_mesh(
    to: Mapping[str, object],
    from_: Mapping[str, object] | None = None,
    proxies: str | None = None,
) -> dict[str, object]:
    """The body of a policy with one default for each direction, for proxies of one type or all."""
    target: dict[str, object] = dict(_WHOLE_MESH)
    if proxies is not None:
        target["proxyTypes"] = [proxies]
    spec: dict[str, object] = {
        "targetRef": target,
        "to": [{"targetRef": _WHOLE_MESH, "default": to}],
    }
    if from_ is not None:
        spec["from"] = [{"targetRef": _WHOLE_MESH, "default": from_}]
    return {"spec": spec}


_DEFAULT_POLICIES: Final = (
    BornPolicy(
        "MeshTimeout",
        "mesh-gateways-timeout-all",
        _for_whole_mesh(
            proxies="Gateway",
            to={"idleTimeout": "1h0m0s", "http": {"streamIdleTimeout": "5s"}},
            from_={
                "idleTimeout": "5m0s",
                "http": {"streamIdleTimeout": "5s", "requestHeadersTimeout": "500ms"},
            },
        ),
    ),
    BornPolicy(
        "MeshTimeout",
        "mesh-timeout-all",
        _for_whole_mesh(
            proxies="Sidecar",
            to={
                "connectionTimeout": "5s",
                "idleTimeout": "1h0m0s",
                "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m0s"},
            },
            from_={
                "connectionTimeout": "10s",
                "idleTimeout": "2h0m0s",
                "http": {
                    "requestTimeout": "0s",
                    "streamIdleTimeout": "1h0m0s",
                    "maxStreamDuration": "0s",
                },
            },
        ),
    ),
    BornPolicy(
        "MeshCircuitBreaker",
        "mesh-circuit-breaker-all",
        _for_whole_mesh(
            to={
                "connectionLimits": {
                    "maxConnections": 1024,
                    "maxPendingRequests": 1024,
                    "maxRetries": 3,
                    "maxRequests": 1024,
                }
            }
        ),
    ),
    BornPolicy(
        "MeshRetry",
        "mesh-retry-all",
        _for_whole_mesh(to={"tcp": {"maxConnectAttempt": 5}, "http": _RETRIES, "grpc": _RETRIES}),
    ),
)
_ROUTING_POLICIES: Final = (
    BornPolicy(
        "TrafficPermission",
        "allow-all",
        {"sources": _ANY_SERVICE, "destinations": _ANY_SERVICE},
    ),
    BornPolicy(
        "TrafficRoute",
        "route-all",
        {
            "sources": _ANY_SERVICE,
            "destinations": _ANY_SERVICE,
            "conf": {"loadBalancer": {"roundRobin": {}}, "destination": {SERVICE: "*"}},
        },
    ),
)


def policies_of_new_mesh(
    mesh_name: str, skipped: Iterable[str] = (), *, routing: bool = False
) -> tuple[BornPolicy, ...]:
    """The policies a mesh is born with, in the order they are made. They carry no labels.

    `skipped` is the mesh's `skipCreatingInitialPolicies`: `*`, or names of types; what it does
    not know has no effect. `routing`: also the two policies of older meshes
    (KUMA_DEFAULTS_CREATE_MESH_ROUTING_RESOURCES).
    """
    unwanted = frozenset(skipped)
    if EVERY_POLICY in unwanted:
        return ()
    candidates = _DEFAULT_POLICIES + (_ROUTING_POLICIES if routing else ())
    return tuple(
        replace(each, name=f"{each.name}-{mesh_name}")
        for each in candidates
        if each.type not in unwanted
    )


def is_born_with_mesh(resource_type: str, mesh_name: str, name: str) -> bool:
    """Whether a policy has the type and name of one that its mesh was born with."""
    return any(
        (resource_type, name) == (each.type, f"{each.name}-{mesh_name}")
        for each in _DEFAULT_POLICIES + _ROUTING_POLICIES
    )


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
        return backend  # validation has told what is wrong with it
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
