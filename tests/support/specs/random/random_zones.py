"""Random writes of what only proxies of a zone look at: another mesh, ways by tags, gateways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Change, Delete
from support.specs.random.random_meshes import MESH, SERVICES, VERSIONS, put_of

Document = Mapping[str, Any]

OTHER = "shop"  # a second mesh
INGRESS = "gate"  # of this zone


class RandomZone:
    """One source of writes; equal seeds are equal writes."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._kinds: tuple[Callable[[], tuple[ResourceKey, Document]], ...] = (
            self._mesh,
            self._dataplane,
            self._dataplane,
            self._outside,
            self._gateway,
            self._builtin,
            self._named,
            self._gateway_route,
            self._far,
            self._ingress,
        )

    def write(self, there: Callable[[ResourceKey], bool]) -> list[Change]:
        """One transaction; empty where its mesh is not there. `there`: which resources exist."""
        key, document = self._random.choice(self._kinds)()
        if key.mesh and not there(ResourceKey("Mesh", "", key.mesh)):
            return []
        if key.name != INGRESS and there(key) and self._random.random() < 0.25:
            return [Delete(key=key)]
        return [put_of(key, document, {})]

    def _tags(self) -> dict[str, str]:
        return {
            "kuma.io/service": self._random.choice(SERVICES),
            "version": self._random.choice(VERSIONS),
        }

    def _mesh(self) -> tuple[ResourceKey, Document]:
        backend = {"name": "ca-1", "type": "builtin"}
        mtls = {"enabledBackend": "ca-1", "backends": [backend]}
        document = {"mtls": mtls} if self._random.random() < 0.8 else {}
        return ResourceKey("Mesh", "", OTHER), {
            **document,
            "routing": {"zoneEgress": self._random.random() < 0.7},
        }

    def _dataplane(self) -> tuple[ResourceKey, Document]:
        number = self._random.randrange(3)
        inbound = {"port": 80, "tags": {**self._tags(), "kuma.io/zone": "default"}}
        networking = {"address": f"10.1.0.{number}", "inbound": [inbound]}
        return ResourceKey("Dataplane", OTHER, f"dp-{number}"), {"networking": networking}

    def _outside(self) -> tuple[ResourceKey, Document]:
        name = self._random.choice(SERVICES)
        networking = {"address": f"{name}.example:{self._random.choice((80, 81))}"}
        tags = {"kuma.io/service": name, "kuma.io/zone": self._random.choice(("default", "west"))}
        return ResourceKey("ExternalService", OTHER, f"out-{name}"), {
            "tags": tags,
            "networking": networking,
        }

    def _gateway(self) -> tuple[ResourceKey, Document]:
        listener = {
            "port": self._random.choice((80, 81)),
            "protocol": "HTTP",
            "hostname": "gateway.mesh",
            "crossMesh": self._random.random() < 0.7,
        }
        document = {
            "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "conf": {"listeners": [listener]},
        }
        return ResourceKey("MeshGateway", MESH, "across"), document

    def _builtin(self) -> tuple[ResourceKey, Document]:
        gateway = {"type": "BUILTIN", "tags": {"kuma.io/service": "edge"}}
        networking = {"address": f"10.3.0.{self._random.randrange(3)}", "gateway": gateway}
        return ResourceKey("Dataplane", MESH, "edge"), {"networking": networking}

    def _named(self) -> tuple[ResourceKey, Document]:
        parameters = [{"name": "service", "tagKey": "kuma.io/service"}]
        if self._random.random() < 0.5:
            parameters.append({"name": "version", "tagKey": "version"})
        document = {
            "selectors": [{"match": {"kuma.io/service": self._random.choice((*SERVICES, "*"))}}],
            "conf": {"host": "{{.service}}.mesh", "port": "80", "parameters": parameters},
        }
        mesh = self._random.choice((MESH, OTHER))
        return ResourceKey("VirtualOutbound", mesh, "named"), document

    def _gateway_route(self) -> tuple[ResourceKey, Document]:
        rule = {
            "matches": [{"path": {"match": "PREFIX", "value": "/"}}],
            "backends": [{"weight": 1, "destination": self._tags()}],
        }
        document = {
            "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "conf": {"http": {"rules": [rule]}},
        }
        return ResourceKey("MeshGatewayRoute", MESH, "routed"), document

    def _far(self) -> tuple[ResourceKey, Document]:
        """An ingress of another zone, which offers services of both meshes."""
        services = [
            {
                "mesh": self._random.choice((MESH, OTHER)),
                "instances": self._random.choice((1, 2)),
                "tags": {**self._tags(), "kuma.io/zone": "south"},
            }
            for _ in range(self._random.randrange(4))
        ]
        networking = {
            "address": "10.9.0.2",
            "port": 10001,
            "advertisedAddress": "south.example",
            "advertisedPort": self._random.choice((10001, 10002)),
        }
        document = {"zone": "south", "networking": networking, "availableServices": services}
        return ResourceKey("ZoneIngress", "", "south"), document

    def _ingress(self) -> tuple[ResourceKey, Document]:
        """That of this zone, as it registers anew: nothing is said of what it offers."""
        networking = {"address": "10.4.0.2", "port": self._random.choice((10001, 10003))}
        return ResourceKey("ZoneIngress", "", INGRESS), {"networking": networking}
