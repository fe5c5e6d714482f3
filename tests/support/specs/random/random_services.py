"""Random services that are resources, with a status, and random references to them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from kong_mesh_cp.core.resources.key import ResourceKey

Document = Mapping[str, Any]
Made = tuple[ResourceKey, Document, Document]

MESH = "default"
NAMES = ("web", "api", "db")
EXTERNAL = ("stripe", "mail")
MULTI_ZONE = ("everywhere",)
OTHER_ZONE = {"kuma.io/origin": "global", "kuma.io/zone": "east"}
OWN_ZONE = {"kuma.io/origin": "zone", "kuma.io/zone": "default"}


class RandomServices:
    """Of one source of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def _maybe(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _labels(self) -> dict[str, str]:
        labels = {"team": self._random.choice(("red", "blue"))} if self._maybe() else {}
        if self._maybe(0.2):
            return labels | OTHER_ZONE
        return labels | (OWN_ZONE if self._maybe() else {})

    def _status(self, network: int, name: int) -> dict[str, Any]:
        if self._maybe(0.3):
            return {}
        address = f"{network}.0.0.{name}"
        found = {
            "vips": [{"ip": address}],
            "addresses": [{"hostname": f"host-{self._random.randrange(3)}.mesh.local"}],
        }
        return found if network != 242 else found | {"vip": {"ip": address}}

    def mesh_service(self) -> Made:
        name = self._random.choice(NAMES)
        selector = self._random.choice(
            (
                {"dataplaneTags": {"kuma.io/service": name}},
                {"dataplaneTags": {"kuma.io/service": name, "version": "v1"}},
                {"dataplaneTags": {"version": "v2"}},
                {"dataplaneRef": {"name": f"dp-{self._random.randrange(6)}"}},
            )
        )
        port: dict[str, Any] = {
            "port": self._random.choice((80, 8080)),
            "targetPort": self._random.choice((8080, 8081)),
            "appProtocol": self._random.choice(("http", "tcp", "grpc")),
        }
        if self._maybe():
            port["name"] = "main"
        ports = [port]
        if self._maybe(0.3):
            ports.append({"port": 81, "targetPort": 8081, "appProtocol": "tcp"})
        spec = {
            "selector": selector,
            "ports": ports,
            "state": self._random.choice(("Available", "Unavailable")),
            "identities": [{"type": "ServiceTag", "value": name}] if self._maybe() else [],
        }
        status = self._status(241, NAMES.index(name))
        status |= {
            "tls": {"status": self._random.choice(("Ready", "NotReady"))},
            "dataplaneProxies": {"total": self._random.randrange(3)},
        }
        key = ResourceKey("MeshService", MESH, name)
        return key, {"spec": spec, "status": status}, self._labels()

    def external_service(self) -> Made:
        name = self._random.choice(EXTERNAL)
        spec = {
            "match": {"port": 80, "protocol": self._random.choice(("http", "tcp"))},
            "endpoints": [{"address": f"{name}.example", "port": 443}],
        }
        status = self._status(242, EXTERNAL.index(name))
        status.pop("vips", None)
        key = ResourceKey("MeshExternalService", MESH, name)
        return key, {"spec": spec, "status": status}, self._labels()

    def multi_zone_service(self) -> Made:
        name = self._random.choice(MULTI_ZONE)
        spec = {
            "selector": {"meshService": {"matchLabels": {"team": "red"}}},
            "ports": [{"port": self._random.choice((80, 8080)), "appProtocol": "http"}],
        }
        zones = self._random.sample(("", "default", "east"), 2)
        parts = [
            {"name": self._random.choice(NAMES), "namespace": "", "zone": each, "mesh": MESH}
            for each in zones
        ]
        status = self._status(243, MULTI_ZONE.index(name)) | {"meshServices": parts}
        key = ResourceKey("MeshMultiZoneService", MESH, name)
        return key, {"spec": spec, "status": status}, self._labels()

    def zone_proxy(self) -> Made:
        number = self._random.randrange(1, 4)
        if self._maybe():
            place: dict[str, Any] = {"address": f"10.6.0.{number}", "port": 10002}
            return ResourceKey("ZoneEgress", "", "egress"), {"networking": place}, {}
        place = {
            "address": "10.7.0.1",
            "port": 10001,
            "advertisedAddress": f"192.0.2.{number}",
            "advertisedPort": 10001,
        }
        document = {"zone": "east", "networking": place}
        return ResourceKey("ZoneIngress", "", "ingress"), document, {}

    def _named(self) -> dict[str, Any]:
        kind, names = self._random.choice(
            (
                ("MeshService", NAMES),
                ("MeshExternalService", EXTERNAL),
                ("MeshMultiZoneService", MULTI_ZONE),
            )
        )
        if self._maybe(0.3):
            return {"kind": kind, "labels": {"team": self._random.choice(("red", "blue"))}}
        return {"kind": kind, "name": self._random.choice(names)}

    def backend_ref(self) -> dict[str, Any]:
        return self._named() | {"port": self._random.choice((80, 81, 8080))}

    def reachable(self) -> dict[str, Any]:
        return self.backend_ref() if self._maybe() else self._named()

    def target(self) -> dict[str, Any]:
        found = self._named()
        if found["kind"] == "MeshService" and self._maybe(0.3):
            found["sectionName"] = "main"
        return found
