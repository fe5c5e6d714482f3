"""Policies of many kinds, as a mesh of some size has them: few for everybody, most for a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Document = Mapping[str, Any]

_EVERYBODY_OF: Final = 20  # of so many policies one is for everybody
_FOR_SIDECARS: Final = ("MeshFaultInjection", "MeshRateLimit")  # at gateways they have no `from`
_CHECK: Final = {"interval": "10s", "timeout": "2s", "unhealthyThreshold": 3, "healthyThreshold": 1}
_LOGS: Final = {"backends": [{"type": "File", "file": {"path": "/dev/null"}}]}
_ZIPKIN: Final = {"url": "http://zipkin.internal:9411/api/v2/spans"}
_RENAMES: Final = {"cluster": {"operation": "Patch", "value": "connectTimeout: 7s"}}


def mixed_policies(count: int, services: int) -> Iterator[Document]:
    """`count` of them, in a mesh whose services are `svc-0`, `svc-1` and so on."""
    for number in range(count):
        type_name, spec = _SPECS[number % len(_SPECS)](f"svc-{number * 7 % services}")
        target: Document = {"kind": "Mesh"}
        if number % _EVERYBODY_OF:
            service = f"svc-{number % services}"
            target = {"kind": "MeshSubset", "tags": {"kuma.io/service": service}}
        if type_name in _FOR_SIDECARS:
            target = {**target, "proxyTypes": ["Sidecar"]}
        name = f"mixed-{number}"
        spec = {"targetRef": target, **spec}
        yield {"type": type_name, "mesh": "default", "name": name, "spec": spec}


def _to(type_name: str, **default: object) -> Any:
    def made(service: str) -> tuple[str, Document]:
        entry = {"targetRef": {"kind": "MeshService", "name": service}, "default": default}
        return type_name, {"to": [entry]}

    return made


def _from(type_name: str, **default: object) -> Any:
    def made(service: str) -> tuple[str, Document]:
        clients = {"kind": "MeshSubset", "tags": {"kuma.io/service": service}}
        return type_name, {"from": [{"targetRef": clients, "default": default}]}

    return made


def _limit(_service: str) -> tuple[str, Document]:
    limit = {"local": {"http": {"requestRate": {"num": 1000, "interval": "1s"}}}}
    return "MeshRateLimit", {"from": [{"targetRef": {"kind": "Mesh"}, "default": limit}]}


def _whole(type_name: str, **default: object) -> Any:
    return lambda _service: (type_name, {"default": default})


def _http_route(service: str) -> tuple[str, Document]:
    match = {"path": {"type": "PathPrefix", "value": "/v2"}}
    set_header = {"set": [{"name": "x-route", "value": "v2"}]}
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": set_header}]
    rule = {"matches": [match], "default": {"filters": filters}}
    to = {"targetRef": {"kind": "MeshService", "name": service}, "rules": [rule]}
    return "MeshHTTPRoute", {"to": [to]}


def _tcp_route(service: str) -> tuple[str, Document]:
    backend = {"kind": "MeshService", "name": service, "weight": 1}
    rule = {"default": {"backendRefs": [backend]}}
    to = {"targetRef": {"kind": "MeshService", "name": service}, "rules": [rule]}
    return "MeshTCPRoute", {"to": [to]}


_SPECS: Final = (
    _to("MeshTimeout", connectionTimeout="7s"),
    _to("MeshRetry", http={"numRetries": 3, "retryOn": ["5xx"]}),
    _to("MeshCircuitBreaker", connectionLimits={"maxConnections": 100}),
    _to("MeshHealthCheck", **_CHECK, http={"path": "/ready"}),
    _to("MeshLoadBalancingStrategy", loadBalancer={"type": "LeastRequest"}),
    _to("MeshAccessLog", **_LOGS),
    _from("MeshFaultInjection", http=[{"abort": {"httpStatus": 503, "percentage": 1}}]),
    _limit,
    _from("MeshTrafficPermission", action="Allow"),
    _http_route,
    _tcp_route,
    _whole("MeshTrace", backends=[{"type": "Zipkin", "zipkin": _ZIPKIN}]),
    _whole("MeshProxyPatch", appendModifications=[_RENAMES]),
)
"""By the service that each is about."""
