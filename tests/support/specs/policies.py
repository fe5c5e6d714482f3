"""Policies, proxies and destinations for tests, each with only what the test is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kong_mesh_cp.core.policy.rules.destinations import Destination, Port
from kong_mesh_cp.core.policy.rules.policy import Conf, Entry, Meta, Policy
from kong_mesh_cp.core.policy.rules.proxies import GatewayRole, Inbound, Listener, Proxy
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef

Labels = Mapping[str, str]
Entries = Sequence[tuple[TargetRef, Conf]]
ADDRESS = "10.0.0.1"


def target(kind: str, name: str = "", **rest: Any) -> TargetRef:
    return TargetRef(kind=kind, name=name, **rest)


def subset(**tags: str) -> TargetRef:
    return TargetRef(kind="MeshSubset", tags=tags)


def policy(
    name: str = "policy",
    about: TargetRef = WHOLE_MESH,
    *,
    of: str = "MeshTimeout",
    labels: Labels | None = None,
    to: Entries = (),
    sources: Entries = (),
    rules: Sequence[Conf] = (),
    conf: Conf | None = None,
) -> Policy:
    return Policy(
        meta=Meta(of, "default", name, labels or {}),
        target=about,
        to=tuple(Entry(*each) for each in to),
        sources=tuple(Entry(*each) for each in sources),
        rules=tuple(rules),
        proxy_conf=conf,
    )


def route(name: str, *rules: Conf, service: str = "backend", **rest: Any) -> Policy:
    entry = (target("MeshService", service), {"rules": list(rules)})
    return policy(name, of="MeshHTTPRoute", to=[entry], **rest)


def inbound(
    port: int, tags: Labels | None = None, *, name: str = "", ignored: bool = False
) -> Inbound:
    return Inbound(listener(port), tags or {}, name, ignored)


def listener(port: int) -> Listener:
    return Listener(ADDRESS, port)


def proxy(
    *inbounds: Inbound, labels: Labels | None = None, gateway: GatewayRole | None = None
) -> Proxy:
    return Proxy(Meta("Dataplane", "default", "dp-1", labels or {}), ADDRESS, inbounds, gateway)


def service(
    name: str, *ports: Port, of: str = "MeshService", labels: Labels | None = None
) -> Destination:
    return Destination(Meta(of, "default", name, labels or {}), ports)


DEFAULT_MESH = Destination(Meta("Mesh", "", "default"))


def names(policies: Sequence[Policy]) -> list[str]:
    return [each.meta.name for each in policies]
