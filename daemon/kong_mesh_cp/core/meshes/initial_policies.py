"""The policies a mesh is born with. They carry no labels: by type and name they are known.

Source: docs/wire/meshes.md#initial-policies
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.tags import SERVICE

EVERY_POLICY: Final = "*"  # in `skipCreatingInitialPolicies`
_WHOLE_MESH: Final = {"kind": "Mesh"}
_BACK_OFF: Final = {"baseInterval": "25ms", "maxInterval": "250ms"}
_RETRIES: Final = {"numRetries": 5, "perTryTimeout": "16s", "backOff": _BACK_OFF}
_ANY_SERVICE: Final = [{"match": {SERVICE: "*"}}]


@dataclass(frozen=True, slots=True)
class InitialPolicy:
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
    InitialPolicy(
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
    InitialPolicy(
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
    InitialPolicy(
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
    InitialPolicy(
        "MeshRetry",
        "mesh-retry-all",
        _for_whole_mesh(to={"tcp": {"maxConnectAttempt": 5}, "http": _RETRIES, "grpc": _RETRIES}),
    ),
)
_ROUTING_POLICIES: Final = (
    InitialPolicy(
        "TrafficPermission",
        "allow-all",
        {"sources": _ANY_SERVICE, "destinations": _ANY_SERVICE},
    ),
    InitialPolicy(
        "TrafficRoute",
        "route-all",
        {
            "sources": _ANY_SERVICE,
            "destinations": _ANY_SERVICE,
            "conf": {"loadBalancer": {"roundRobin": {}}, "destination": {SERVICE: "*"}},
        },
    ),
)

TYPES_BORN: Final = frozenset(each.type for each in _DEFAULT_POLICIES + _ROUTING_POLICIES)


def policies_of_new_mesh(
    mesh_name: str, skipped: Iterable[str] = (), *, routing: bool = False
) -> tuple[InitialPolicy, ...]:
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


def is_initial_policy(resource_type: str, mesh_name: str, name: str) -> bool:
    """Whether a policy has the type and name of one that its mesh was born with."""
    return any(
        (resource_type, name) == (each.type, f"{each.name}-{mesh_name}")
        for each in _DEFAULT_POLICIES + _ROUTING_POLICIES
    )
