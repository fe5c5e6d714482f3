"""A mesh with a transparent proxy web-1, and what is generated for it, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import any_pb2, json_format

from kong_mesh_cp.core.xds import names
from kong_mesh_cp.core.xds.envoy import envoy_messages
from kong_mesh_cp.core.xds.generate import Generated, generate
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from support.suites.recorded_proxies import METADATA, stored, world_of

Json = dict[str, Any]

REDIRECTED: Mapping[str, object] = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
MESSAGES = {
    names.CLUSTER: envoy_messages.Cluster,
    names.ENDPOINT: envoy_messages.ClusterLoadAssignment,
    names.LISTENER: envoy_messages.Listener,
}


def mesh(**members: object) -> Json:
    return {"type": "Mesh", "name": "m", "skipCreatingInitialPolicies": ["*"], **members}


def mesh_of_zones(**routing: object) -> Json:
    """Without mTLS there would be no way from one zone to another."""
    backend = {"name": "ca-1", "type": "builtin"}
    return mesh(mtls={"enabledBackend": "ca-1", "backends": [backend]}, routing=routing)


def inbound(service: str, port: int = 80, **members: object) -> Json:
    tags = {"kuma.io/service": service, "kuma.io/protocol": "tcp"}
    return {"port": port, "tags": tags, **members}


def proxy(name: str, address: str, *inbounds: Json, **networking: object) -> Json:
    return {
        "type": "Dataplane",
        "mesh": "m",
        "name": name,
        "networking": {"address": address, "inbound": list(inbounds), **networking},
    }


def web(address: str = "10.0.0.1", **transparent: object) -> Json:
    """The proxy that is looked at."""
    own = inbound("web", 8080)
    return proxy("web-1", address, own, transparentProxying={**REDIRECTED, **transparent})


def view_of(*documents: Json, metadata: ProxyMetadata = METADATA) -> ProxyView:
    """`documents` in the order in which they were put; the Mesh is among them, or a plain one."""
    whole = documents if any(each["type"] == "Mesh" for each in documents) else (mesh(), *documents)
    world = world_of("m", list(stored(whole, {})))
    dataplane = world.dataplane("web-1")
    assert dataplane is not None
    return ProxyView(dataplane=dataplane, metadata=metadata, world=world)


def made_for(*documents: Json, metadata: ProxyMetadata = METADATA) -> Generated:
    made = generate(view_of(*documents, metadata=metadata), Parts())
    assert made.complaints == ()
    return made


def shown(made: Generated, type_url: str) -> dict[str, Json]:
    """The resources of a type by name."""
    found = made.snapshot.by_type.get(type_url)
    return {
        name: json_format.MessageToDict(_unpacked(type_url, resource.packed))
        for name, resource in (found.resources if found else {}).items()
    }


def _unpacked(type_url: str, packed: bytes) -> Any:
    message = MESSAGES[type_url]()
    assert any_pb2.Any.FromString(packed).Unpack(message)
    return message
