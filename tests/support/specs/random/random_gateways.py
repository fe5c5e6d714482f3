"""Random writes about builtin gateways: theirs, their routes and certificates, and other meshes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from kong_mesh_cp.core.resources.key import ResourceKey
from support.daemons.tls_peers import pair

Document = Mapping[str, Any]

OTHERS: Final = ("bank", "coop")
EDGE: Final = "edge"  # the service of all gateways, their MeshGateway, and its certificate
CERTIFICATES: Final = ("shop.example", "shop.example.org")
LISTENERS: Final[tuple[Document, ...]] = (
    {"port": 80, "protocol": "HTTP"},
    {"port": 81, "protocol": "HTTP", "hostname": "shop.mesh", "crossMesh": True},
    {"port": 82, "protocol": "TCP", "resources": {"connectionLimit": 7}},
    {"port": 83, "protocol": "TLS", "hostname": "*.example", "tls": {"mode": "PASSTHROUGH"}},
    {
        "port": 443,
        "protocol": "HTTPS",
        "hostname": "shop.example",
        "tls": {"mode": "TERMINATE", "certificates": [{"secret": EDGE}]},
    },
)
_Write = tuple[ResourceKey, Document, Document]


class RandomGateways:
    """Of one mesh, and of OTHERS as far as they are its business."""

    def __init__(self, random: Random, mesh: str, services: Sequence[str]) -> None:
        self._random = random
        self._mesh = mesh
        self._services = services

    def write(self) -> _Write:
        makes = (self.gateway, self._older_route, self._route, self._secret, self._other)
        return self._random.choice((*makes, self._other))()

    def across(self) -> Document:
        """The tags of gateways of some mesh, or of none that is there."""
        mesh = self._random.choice((self._mesh, *OTHERS, "nowhere"))
        return {"kuma.io/service": EDGE, "kuma.io/mesh": mesh}

    def gateway(self) -> _Write:
        return ResourceKey("MeshGateway", self._mesh, EDGE), self._gateway(), {}

    def _gateway(self) -> Document:
        listeners = self._random.sample(LISTENERS, self._random.choice((1, 1, 2, 3)))
        tags = {"a": self._random.choice(("b", "c"))}
        return {
            "selectors": [{"match": {"kuma.io/service": EDGE}}],
            "conf": {"listeners": [{**each, "tags": tags} for each in listeners]},
        }

    def _older_route(self) -> _Write:
        backend = {"weight": 1, "destination": {"kuma.io/service": self._service()}}
        conf: Document = self._random.choice(
            (
                {"tcp": {"rules": [{"backends": [backend]}]}},
                {
                    "http": {
                        "hostnames": self._random.choice(([], ["shop.mesh"])),
                        "rules": [
                            {
                                "matches": [{"path": {"match": "PREFIX", "value": "/"}}],
                                "backends": [backend],
                            }
                        ],
                    }
                },
            )
        )
        tags = self._random.choice(({}, {"a": "b"}))
        document = {"selectors": [{"match": {"kuma.io/service": EDGE, **tags}}], "conf": conf}
        name = f"older-{self._random.randrange(2)}"
        return ResourceKey("MeshGatewayRoute", self._mesh, name), document, {}

    def _route(self) -> _Write:
        default = {
            "backendRefs": [{"kind": "MeshService", "name": self._service(), "weight": 1}],
        }
        target: dict[str, Any] = {"kind": "MeshGateway", "name": EDGE}
        if self._random.random() < 0.3:
            target["tags"] = {"a": "b"}
        to: dict[str, Any] = {"targetRef": {"kind": "Mesh"}}
        if self._random.random() < 0.3:
            spec = {"targetRef": target, "to": [{**to, "rules": [{"default": default}]}]}
            return ResourceKey("MeshTCPRoute", self._mesh, "edge-tcp"), {"spec": spec}, {}
        matches = [{"path": {"type": "PathPrefix", "value": self._random.choice(("/", "/v2"))}}]
        rules = [{"matches": matches, "default": default}]
        if self._random.random() < 0.3:
            to["hostnames"] = ["shop.mesh"]
        spec = {"targetRef": target, "to": [{**to, "rules": rules}]}
        return ResourceKey("MeshHTTPRoute", self._mesh, "edge-http"), {"spec": spec}, {}

    def _secret(self) -> _Write:
        made = pair(self._random.choice(CERTIFICATES))
        data = base64.b64encode(made.certificate + made.key).decode()
        return ResourceKey("Secret", self._mesh, EDGE), {"data": data}, {}

    def _other(self) -> _Write:
        mesh = self._random.choice(OTHERS)
        kind = self._random.choice(("Mesh", "MeshGateway", "Dataplane"))
        if kind == "Mesh":
            document: dict[str, Any] = {}
            if self._random.random() < 0.7:
                mode = self._random.choice(("STRICT", "PERMISSIVE"))
                backend = {"name": "ca-1", "type": "builtin", "mode": mode}
                document["mtls"] = {"enabledBackend": "ca-1", "backends": [backend]}
            return ResourceKey("Mesh", "", mesh), document, {}
        if kind == "MeshGateway":
            return ResourceKey("MeshGateway", mesh, EDGE), self._gateway(), {}
        address = f"10.3.0.{self._random.choice((1, 2))}"
        gateway = {"type": "BUILTIN", "tags": {"kuma.io/service": EDGE}}
        document = {"networking": {"address": address, "gateway": gateway}}
        # As the API computes it.
        labels = {"kuma.io/proxy-type": "gateway"}
        return (
            ResourceKey("Dataplane", mesh, f"{EDGE}-{self._random.randrange(2)}"),
            document,
            labels,
        )

    def _service(self) -> str:
        return self._random.choice(self._services)
