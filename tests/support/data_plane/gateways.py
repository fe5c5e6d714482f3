"""Builtin gateways with real Envoys, at the stage of the other proxies."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from support.daemons.daemon import Answer, eventually
from support.daemons.tls_peers import Pair
from support.data_plane.applications import Place
from support.data_plane.envoy_stage import Proxy, Stage
from support.suites.patience import HANG_SECONDS

HTTP: Final = 8080
HTTPS: Final = 8443


@dataclass
class Gateway(Proxy):
    """A builtin gateway: it has no application, and its listeners are those of a MeshGateway."""

    kind: str = "BUILTIN"

    @property
    def networking(self) -> dict[str, Any]:
        tags = {"kuma.io/service": self.service, **self.tags}
        return {
            "address": self.address,
            "gateway": {"type": self.kind, "tags": tags},
            "admin": {"port": self.envoy.admin_port},
        }

    def at(self, port: int) -> Place:
        return Place(self.address, port)

    @property
    def listens_at(self) -> set[int]:
        """The ports that it has listeners for now."""
        listed: Any = self.envoy.admin("/listeners?format=json").json.get("listener_statuses", [])
        addresses = (each["local_address"].get("socket_address", {}) for each in listed)
        return {each["port_value"] for each in addresses if each.get("address") == self.address}


def start_gateway(stage: Stage, *ports: int, name: str = "edge-1", **more: Any) -> Gateway:
    """Start the Envoy of a gateway of the service `edge`; wait until it listens at `ports`."""
    place = stage.proxy(name, "edge")  # an address and a folder of its own
    gateway = Gateway(name, "edge", place.address, place.envoy, **more)
    stage.launch(gateway, stage.bootstrap(gateway))
    eventually(f"{name} listens", lambda: set(ports) <= gateway.listens_at)
    return gateway


def put_gateway(stage: Stage, *listeners: Mapping[str, Any], mesh: str = "default") -> None:
    """The MeshGateway of all gateways of the service `edge`."""
    stage.put(
        f"/meshes/{mesh}/meshgateways/edge",
        {
            "type": "MeshGateway",
            "mesh": mesh,
            "name": "edge",
            "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "conf": {"listeners": [*listeners]},
        },
    )


def put_route(stage: Stage, service: str, mesh: str = "default") -> None:
    """All requests that come in by the gateway go to `service`."""
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"backendRefs": [{"kind": "MeshService", "name": service, "weight": 1}]},
    }
    stage.put(
        f"/meshes/{mesh}/meshhttproutes/in",
        {
            "type": "MeshHTTPRoute",
            "mesh": mesh,
            "name": "in",
            "spec": {
                "targetRef": {"kind": "MeshGateway", "name": "edge"},
                "to": [{"targetRef": {"kind": "Mesh"}, "rules": [rule]}],
            },
        },
    )


def put_certificate(stage: Stage, pair: Pair, name: str = "edge") -> None:
    """As a Secret of the mesh."""
    data = base64.b64encode(pair.certificate + pair.key).decode()
    stage.put(
        f"/meshes/default/secrets/{name}",
        {"type": "Secret", "mesh": "default", "name": name, "data": data},
    )


class UntrustedError(OSError):
    """Another certificate is shown."""


def ask_in_tls(place: Place, trusted: Sequence[Pair], hostname: str) -> Answer:
    """GET over a connection of its own, to who shows one of `trusted`. Raises: UntrustedError."""
    with secured(place, trusting_all(), hostname) as connection:
        if _shown(connection) not in {each.certificate.decode() for each in trusted}:
            raise UntrustedError(_shown(connection))
        plain = http.client.HTTPConnection(hostname, timeout=HANG_SECONDS)
        plain.sock = connection
        plain.request("GET", "/")
        answer = plain.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.headers))


@contextlib.contextmanager
def secured(place: Place, context: ssl.SSLContext, hostname: str) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(place, HANG_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=hostname) as connection,
    ):
        yield connection


def shown_certificate(place: Place, hostname: str) -> str:
    """What is shown to whoever asks for `hostname`, in PEM."""
    with secured(place, trusting_all(), hostname) as connection:
        return _shown(connection)


def trusting_all() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _shown(connection: ssl.SSLSocket) -> str:
    shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return ssl.DER_cert_to_PEM_cert(shown)
