"""A mesh with a builtin gateway web-1 that serves the MeshGateway edge, and what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.names import ROUTE
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.shown import as_json
from support.specs.sidecars import NOTHING_ELSE, Told, policy, tags
from support.specs.transparent_proxies import Json, view_of

HTTP = "edge:HTTP:8080"
TCP = "edge:TCP:9000"
TABLE = "edge:HTTP:8080:*"
AT_EDGE = {"kind": "MeshGateway", "name": "edge"}
WHOLE_MESH = {"kind": "Mesh"}


class ToldEdge(Told):
    """With the tables of routes, by name."""

    def __init__(self, *documents: Json) -> None:
        made = generate(view_of(*documents, metadata=NOTHING_ELSE), Parts())
        by_type: Any = as_json(made.snapshot)
        super().__init__(by_type, made.complaints)
        self.tables = by_type.get(ROUTE, {})

    def hosts(self, table: str = TABLE) -> dict[str, Any]:
        """The routes of each virtual host, in the order in which they are told."""
        found = self.tables[table]["virtualHosts"]
        return {host["name"]: host["routes"] for host in found}

    def table(self, table: str = TABLE) -> Any:
        """The routes of its only virtual host."""
        (routes,) = self.hosts(table).values()
        return routes

    def cluster(self, service: str) -> Any:
        """The only one for a service."""
        (name,) = (each for each in self.clusters if each.rpartition("-")[0] == service)
        return self.clusters[name]


def edge(**networking: object) -> Json:
    """The proxy that is looked at."""
    role = {"type": "BUILTIN", "tags": tags("edge")}
    return {
        "type": "Dataplane",
        "mesh": "m",
        "name": "web-1",
        "networking": {"address": "10.0.0.1", "gateway": role, **networking},
    }


def listener(port: int = 8080, protocol: str = "HTTP", **members: object) -> Json:
    return {"port": port, "protocol": protocol, **members}


def gateway(*listeners: Json) -> Json:
    return {
        "type": "MeshGateway",
        "mesh": "m",
        "name": "edge",
        "selectors": [{"match": tags("edge")}],
        "conf": {"listeners": list(listeners or (listener(),))},
    }


def to_tag(service: str, weight: int = 1, **members: object) -> Json:
    """A reference to the instances of a service by its tag."""
    return {"kind": "MeshService", "name": service, "weight": weight, **members}


def by_path(
    path: str, *refs: Json, match: str = "PathPrefix", filters: Sequence[Json] = ()
) -> Json:
    """A rule for a path."""
    return rule({"path": {"type": match, "value": path}}, refs=refs, filters=filters)


def rule(*matches: Json, refs: tuple[Json, ...] = (), filters: Sequence[Json] = ()) -> Json:
    default: Json = {"backendRefs": list(refs)} if refs else {}
    return {"matches": list(matches), "default": {**default, "filters": list(filters)}}


def http_route(
    *rules: Json,
    name: str = "r",
    hostnames: tuple[str, ...] = (),
    target: object = AT_EDGE,
    to: object = WHOLE_MESH,
) -> Json:
    entry: Json = {"targetRef": to, "rules": list(rules)}
    if hostnames:
        entry["hostnames"] = list(hostnames)
    return policy("MeshHTTPRoute", name, targetRef=target, to=[entry])


def tcp_route(*refs: Json, name: str = "t", target: object = AT_EDGE) -> Json:
    default = {"backendRefs": list(refs)}
    entry = {"targetRef": WHOLE_MESH, "rules": [{"default": default}]}
    return policy("MeshTCPRoute", name, targetRef=target, to=[entry])


def about_edge(type_name: str, name: str = "p", **spec: object) -> Json:
    """A policy about all listeners."""
    return policy(type_name, name, targetRef=AT_EDGE, **spec)
