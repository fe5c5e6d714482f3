"""Services that are resources of the mesh `m`, as they are put, with a status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def mesh_service(
    name: str,
    *,
    ports: list[Json] | None = None,
    labels: Mapping[str, str] | None = None,
    status: Json | None = None,
    **spec: Any,
) -> Json:
    """By default of the proxies with its name as their service tag, on port 80."""
    found = {
        "selector": {"dataplaneTags": {"kuma.io/service": name}},
        "ports": ports or [{"port": 80, "appProtocol": "http"}],
        **spec,
    }
    return _document("MeshService", name, found, labels, status)


def external(
    name: str,
    *,
    protocol: str = "http",
    labels: Mapping[str, str] | None = None,
    status: Json | None = None,
) -> Json:
    spec = {
        "match": {"type": "HostnameGenerator", "port": 80, "protocol": protocol},
        "endpoints": [{"address": f"{name}.example", "port": 8080}],
    }
    return _document("MeshExternalService", name, spec, labels, status)


def multi_zone(name: str, *parts: Json, status: Json | None = None, **port: Any) -> Json:
    """Of `parts`, the MeshServices as its status has them."""
    spec = {
        "selector": {"meshService": {"matchLabels": {"team": "red"}}},
        "ports": [{"port": 80, "appProtocol": "http", **port}],
    }
    of_parts = {"meshServices": list(parts)} | (status or {})
    return _document("MeshMultiZoneService", name, spec, {"team": "all"}, of_parts)


def part(name: str, zone: str = "default") -> Json:
    return {"name": name, "namespace": "", "zone": zone, "mesh": "m"}


def reached_at(ip: str, *hosts: str, **more: Any) -> Json:
    """The status of a service with a virtual address and names."""
    names = [{"hostname": each} for each in hosts]
    return {"vips": [{"ip": ip}], "addresses": names, **more}


def egress(last: int = 1) -> Json:
    place = {"address": f"10.6.0.{last}", "port": 10002}
    return {"type": "ZoneEgress", "name": f"egress-{last}", "zone": "default", "networking": place}


def ingress(zone: str = "east", advertised: str = "192.0.2.1") -> Json:
    place = {"address": "10.7.0.1", "port": 10001}
    if advertised:
        place |= {"advertisedAddress": advertised, "advertisedPort": 10011}
    return {"type": "ZoneIngress", "name": f"of-{zone}", "zone": zone, "networking": place}


def calls(kind: str, name: str, port: int = 80, own: int = 10001, **ref: Any) -> Json:
    """An outbound on `own` to the port of a service."""
    return {"port": own, "backendRef": {"kind": kind, "name": name, "port": port, **ref}}


def _document(
    type_name: str, name: str, spec: Json, labels: Mapping[str, str] | None, status: Json | None
) -> Json:
    found: Json = {"type": type_name, "mesh": "m", "name": name, "spec": spec}
    if labels:
        found["labels"] = dict(labels)
    if status:
        found["status"] = status
    return found
