"""A mesh with a proxy web-1 that is no transparent one, and what it is told, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kong_mesh_cp.core.xds.draft import Complaint
from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.names import CLUSTER, ENDPOINT, LISTENER
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.shown import as_json
from support.specs.transparent_proxies import Json, proxy, view_of

NOTHING_ELSE = ProxyMetadata(ipv6=False)
"""A proxy without an admin API: it is told of its in- and outbounds alone."""


class Told:
    """Resources by name."""

    def __init__(
        self, by_type: Mapping[str, Mapping[str, Any]], complaints: tuple[Complaint, ...]
    ) -> None:
        self.complaints = [f"{each.about}: {each.reason}" for each in complaints]
        self.clusters = by_type.get(CLUSTER, {})
        self.listeners = by_type.get(LISTENER, {})
        self.endpoints = by_type.get(ENDPOINT, {})

    def chain(self, listener: str) -> Any:
        """Its only filter chain."""
        (found,) = self.listeners[listener]["filterChains"]
        return found

    def filter(self, listener: str) -> Any:
        """Its terminal filter."""
        return self.chain(listener)["filters"][-1]["typedConfig"]

    def routes(self, listener: str) -> Any:
        (host,) = self.filter(listener)["routeConfig"]["virtualHosts"]
        return host["routes"]


def tags(service: str, protocol: str = "", **others: str) -> dict[str, str]:
    said = {"kuma.io/protocol": protocol} if protocol else {}
    return {"kuma.io/service": service, **said, **others}


def inbound(service: str, port: int, protocol: str = "", **members: object) -> Json:
    return {"port": port, "tags": tags(service, protocol), **members}


def outbound(port: int, service: str, **others: str) -> Json:
    return {"port": port, "tags": tags(service, **others)}


def web(*inbounds: Json, to: tuple[Json, ...] = (), **networking: object) -> Json:
    """The proxy that is looked at."""
    own = inbounds or (inbound("web", 8080, "http"),)
    return proxy("web-1", "10.0.0.1", *own, outbound=list(to), **networking)


def instance(service: str, protocol: str = "", last: int = 2, **others: str) -> Json:
    """Another proxy, at 10.0.0.`last`."""
    own = {"port": 80, "tags": tags(service, protocol, **others)}
    return proxy(f"{service}-{last}", f"10.0.0.{last}", own)


def policy(type_name: str, name: str = "p", **spec: object) -> Json:
    """`from_` stands for the member `from`."""
    members = {member.rstrip("_"): value for member, value in spec.items()}
    return {"type": type_name, "mesh": "m", "name": name, "spec": members}


def to_mesh(**default: object) -> list[Json]:
    return [{"targetRef": {"kind": "Mesh"}, "default": default}]


def to_service(name: str, **default: object) -> list[Json]:
    return [{"targetRef": {"kind": "MeshService", "name": name}, "default": default}]


def told(*documents: Json, metadata: ProxyMetadata = NOTHING_ELSE, **view: Any) -> Told:
    made = generate(replace(view_of(*documents, metadata=metadata), **view), Parts())
    return Told(as_json(made.snapshot), made.complaints)


def older(
    type_name: str, name: str = "p", *, to: str = "*", by: str = "*", **members: object
) -> Json:
    """A policy of the older generation for connections from the service `by` to the service `to`,
    unless `members` say otherwise.
    """
    return {
        "type": type_name,
        "mesh": "m",
        "name": name,
        "sources": [{"match": {"kuma.io/service": by}}],
        "destinations": [{"match": {"kuma.io/service": to}}],
        **members,
    }


ROUTE_ALL = older("TrafficRoute", "all", conf={"destination": {"kuma.io/service": "*"}})
"""Each outbound to its own service, as TrafficRoutes say."""


def external(name: str, address: str, protocol: str = "http", **networking: object) -> Json:
    """An ExternalService of the service `name`."""
    return {
        "type": "ExternalService",
        "mesh": "m",
        "name": name,
        "tags": tags(name, protocol),
        "networking": {"address": address, **networking},
    }
