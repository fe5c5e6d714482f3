"""A spawned control plane, real Envoys at it, applications behind them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from support.daemons.daemon import Answer, Daemon, eventually, free_port
from support.data_plane.applications import Place, application, ask
from support.data_plane.envoy_binary import envoy_binary
from support.data_plane.real_envoy import FEATURES, Bootstrap, Envoy, ask_for_bootstrap

JSON: Final = {"Content-Type": "application/json"}
INBOUND, APPLICATION, OUTBOUND = 8080, 9090, 10000
VERSION: Final = {
    "kumaDp": {
        "version": "2.10.11",
        "gitTag": "2.10.11",
        "gitCommit": "0",
        "buildDate": "unknown",
    },
    "envoy": {"version": "1.40.0", "build": "test", "kumaDpCompatible": True},
}


def bootstrap_request(
    name: str,
    kind: str,
    envoy: Envoy,
    *,
    token: str,
    mesh: str = "",
    resource: Mapping[str, Any] | None = None,
    **said: object,
) -> dict[str, object]:
    """What kuma-dp asks for a proxy that brings `resource`, or none; `said` beside the usual."""
    return {
        "mesh": mesh,
        "name": name,
        "proxyType": kind,
        "dataplaneToken": token,
        "dataplaneResource": "" if resource is None else json.dumps(resource),
        "version": VERSION,
        "caCert": "",
        "dynamicMetadata": {},
        "operatingSystem": "linux",
        "features": list(FEATURES),
        "resources": {},
        "workdir": str(envoy.folder),
        "metricsResources": {"certPath": "", "keyPath": ""},
        "systemCaPath": "",
        "ipv6Enabled": False,
        **said,
    }


@dataclass
class Proxy:
    """One service's proxy: an inbound in front of an application, outbounds to other services.

    Its address is of 127.0.0.0/8 and its own, so that its ports are nobody else's.
    """

    name: str
    service: str
    address: str
    envoy: Envoy
    to: tuple[str, ...] = ()
    to_outside: tuple[str, ...] = ()  # MeshExternalServices of port 80
    protocol: str = "http"
    mesh: str = "default"
    inbound_members: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def networking(self) -> dict[str, Any]:
        inbound = {
            "port": INBOUND,
            "servicePort": APPLICATION,
            "serviceAddress": self.address,
            "tags": {
                "kuma.io/service": self.service,
                "kuma.io/protocol": self.protocol,
                **self.tags,
            },
            **self.inbound_members,
        }
        outbounds = [
            {
                "address": self.address,
                "port": OUTBOUND + number,
                "tags": {"kuma.io/service": service},
            }
            for number, service in enumerate(self.to)
        ] + [
            {
                "address": self.address,
                "port": OUTBOUND + number,
                "backendRef": {"kind": "MeshExternalService", "name": service, "port": 80},
            }
            for number, service in enumerate(self.to_outside, len(self.to))
        ]
        return {
            "address": self.address,
            "inbound": [inbound],
            "outbound": outbounds,
            "admin": {"port": self.envoy.admin_port},
        }

    @property
    def resource(self) -> dict[str, Any]:
        return {
            "type": "Dataplane",
            "mesh": self.mesh,
            "name": self.name,
            "networking": self.networking,
        }

    def outbound(self, service: str) -> Place:
        return Place(self.address, OUTBOUND + (*self.to, *self.to_outside).index(service))

    @property
    def path(self) -> str:
        """Of its Dataplane in the API."""
        return f"/meshes/{self.mesh}/dataplanes/{self.name}"

    @property
    def behind(self) -> Place:
        """Where its application listens."""
        return Place(self.address, APPLICATION)

    @property
    def inbound(self) -> Place:
        return Place(self.address, INBOUND)


class ControlPlane(Protocol):
    """Ours or another one, with its API."""

    def api(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer: ...


class StagedMesh:
    """What is done at a control plane by its API, and proxies that come to it at `port`."""

    def __init__(self, control_plane: ControlPlane, port: int, folder: Path) -> None:
        self._control_plane, self.port, self._folder = control_plane, port, folder
        self._binary = envoy_binary()
        chance = random.Random(os.urandom(8))
        self._network = f"127.{chance.randrange(1, 255)}.{chance.randrange(255)}"
        self._numbers = itertools.count(1)
        self._tokens: dict[str, str] = {}

    def put(self, path: str, resource: Mapping[str, object]) -> None:
        answer = self._control_plane.api("PUT", path, JSON, json.dumps(resource).encode())
        assert answer.status in {200, 201}, answer.body

    def get(self, path: str) -> Any:
        answer = self._control_plane.api("GET", path)
        assert answer.status == 200, (path, answer.body)
        return answer.json

    def delete(self, path: str) -> None:
        assert self._control_plane.api("DELETE", path).status == 200

    def mesh(self, mode: str | None = None, *, name: str = "default", **mtls: object) -> None:
        """Write the mesh: without mTLS, or with it in a mode."""
        document: dict[str, object] = {"type": "Mesh", "name": name}
        if mode is not None:
            backend = {"name": "ca-1", "type": "builtin", "mode": mode}
            document["mtls"] = {"enabledBackend": "ca-1", "backends": [backend], **mtls}
        self.put(f"/meshes/{name}", document)

    def permit(
        self, action: str = "Allow", service: str | None = None, *, about: str | None = None
    ) -> None:
        """Allow, or deny, calls of everybody or of one service; to all, or about one of them."""
        to: dict[str, object] = {"kind": "Mesh"}
        if about is not None:
            to = {"kind": "MeshSubset", "tags": {"kuma.io/service": about}}
        name = f"permission-{about}" if about is not None else "permission"
        who: dict[str, object] = {"kind": "Mesh"}
        if service is not None:
            who = {"kind": "MeshSubset", "tags": {"kuma.io/service": service}}
        spec = {
            "targetRef": to,
            "from": [{"targetRef": who, "default": {"action": action}}],
        }
        self.put(
            f"/meshes/default/meshtrafficpermissions/{name}",
            {
                "type": "MeshTrafficPermission",
                "mesh": "default",
                "name": name,
                "spec": spec,
            },
        )

    def token(self, mesh: str = "default") -> str:
        if mesh not in self._tokens:
            asked = json.dumps({"mesh": mesh, "validFor": "24h"}).encode()
            answer = self._control_plane.api("POST", "/tokens/dataplane", JSON, asked)
            assert answer.status == 200, answer.body
            self._tokens[mesh] = answer.body.decode()
        return self._tokens[mesh]

    def proxy(self, name: str, service: str | None = None, **more: Any) -> Proxy:
        """One that is not started, nor known to the control plane."""
        address = f"{self._network}.{next(self._numbers)}"
        envoy = Envoy(self._binary, self._folder / name, free_port())
        return Proxy(name, service or name, address, envoy, **more)

    def insight(self, proxy: Proxy) -> dict[str, Any]:
        """The newest subscription of a proxy and what its certificates are."""
        insight: dict[str, Any] = self.get(f"{proxy.path}/_overview").get("dataplaneInsight", {})
        return insight

    def responses(self, proxy: Proxy, outcome: str) -> dict[str, int]:
        """How many responses of each type its newest subscription counts: `Sent`, `Acknowledged`
        or `Rejected`. Types without one are left out.
        """
        status = (self.insight(proxy).get("subscriptions") or [{}])[-1].get("status", {})
        counted = {
            kind: each.get(f"responses{outcome}")
            for kind, each in status.items()
            if isinstance(each, dict)
        }
        return {kind: int(count) for kind, count in counted.items() if count}

    def is_online(self, proxy: Proxy) -> bool:
        subscriptions = self.insight(proxy).get("subscriptions") or [{"disconnectTime": ""}]
        return "disconnectTime" not in subscriptions[-1]


class Stage(StagedMesh):
    """Our control plane, and what was started at it."""

    def __init__(self, daemon: Daemon, port: int, folder: Path, things: contextlib.ExitStack):
        super().__init__(daemon, port, folder)
        self.daemon, self._things = daemon, things

    def bootstrap(self, proxy: Proxy, *, registers: bool = True, authority: str = "") -> Bootstrap:
        """Ask for a proxy's configuration, with its Dataplane or by its name alone.

        `authority`: what the proxy is to verify the control plane with, in PEM.
        """
        request = bootstrap_request(
            proxy.name,
            "dataplane",
            proxy.envoy,
            token=self.token(proxy.mesh),
            mesh=proxy.mesh,
            resource=proxy.resource if registers else None,
            caCert=authority,
        )
        return ask_for_bootstrap(self.port, request)

    def start(
        self, proxy: Proxy, *, registers: bool = True, serves: bool = True, authority: str = ""
    ) -> Proxy:
        """Start its Envoy, and its application if it serves; wait until it is configured."""
        if serves:
            self._things.enter_context(application(proxy.name, proxy.behind))
        self.launch(proxy, self.bootstrap(proxy, registers=registers, authority=authority))
        eventually(f"{proxy.name} is configured", lambda: is_configured(proxy))
        return proxy

    def launch_transparent(self, proxy: Proxy, dns_port: int, redirected_to: int) -> None:
        """Start its Envoy with outbounds for all there is to reach, and names at `dns_port`."""
        resource = proxy.resource
        resource["networking"].pop("outbound")
        resource["networking"]["transparentProxying"] = {
            "redirectPortInbound": free_port(),
            "redirectPortOutbound": redirected_to,
            "ipFamilyMode": "IPv4",
        }
        request = bootstrap_request(
            proxy.name,
            "dataplane",
            proxy.envoy,
            token=self.token(proxy.mesh),
            mesh=proxy.mesh,
            resource=resource,
            features=[],
            dnsPort=dns_port,
        )
        self.launch(proxy, ask_for_bootstrap(self.port, request))

    def launch(self, proxy: Proxy, bootstrap: Bootstrap) -> None:
        """Start its Envoy alone, whatever becomes of it."""
        self._things.enter_context(proxy.envoy)
        proxy.envoy.start(bootstrap.document)

    def pair(self, *, authority: str = "") -> tuple[Proxy, Proxy]:
        """A client and the service that it calls, which answers it."""
        backend = self.start(self.proxy("backend-1", "backend"), authority=authority)
        web = self.start(self.proxy("web-1", "web", to=("backend",)), authority=authority)
        eventually("it answers", lambda: answers(web.outbound("backend")))
        return web, backend


def is_configured(proxy: Proxy) -> bool:
    """It has all its listeners, and they listen."""
    envoy = proxy.envoy
    if envoy.stat("listener_manager.workers_started") != 1:
        return False
    listening = envoy.admin("/listeners?format=json").json.get("listener_statuses", [])
    addresses = (each["local_address"].get("socket_address", {}) for each in listening)  # type: ignore[attr-defined]
    ports = {each.get("port_value") for each in addresses}
    wanted = {
        INBOUND,
        *(OUTBOUND + number for number in range(len(proxy.to) + len(proxy.to_outside))),
    }
    return wanted <= ports


def answers(place: Place, status: int = 200) -> bool:
    """Whether a request is answered so now."""
    try:
        return ask(place).status == status
    except OSError:
        return False


@contextlib.contextmanager
def staged(
    folder: Path, environment: Mapping[str, str] | None = None, *flags: str
) -> Iterator[Stage]:
    """A control plane with its default mesh. Everything started at it ends with it."""
    envoy_binary()
    port = free_port()
    settings = {
        "KUMA_DP_SERVER_PORT": str(port),
        "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
        **(environment or {}),
    }
    with (
        Daemon(folder / "daemon", *flags, environment=settings) as daemon,
        contextlib.ExitStack() as things,
    ):
        daemon.start()
        eventually("the mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
        yield Stage(daemon, port, folder, things)
