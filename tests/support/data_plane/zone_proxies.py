"""Egresses and ingresses with real Envoys, at the stage of the other proxies."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from support.daemons.daemon import eventually
from support.data_plane.envoy_stage import JSON, Stage, bootstrap_request
from support.data_plane.proxy_programs import running_program
from support.data_plane.real_envoy import Envoy, ask_for_bootstrap

PORT = 10001
RESOURCES = {"egress": "ZoneEgress", "ingress": "ZoneIngress"}
PATHS = {"egress": "zoneegresses", "ingress": "zone-ingresses"}


@dataclass
class ZoneProxy:
    """One zone proxy. Its address is its own."""

    name: str
    kind: str  # `egress` or `ingress`
    address: str
    envoy: Envoy

    @property
    def resource(self) -> dict[str, Any]:
        networking: dict[str, Any] = {
            "address": self.address,
            "port": PORT,
            "admin": {"port": self.envoy.admin_port},
        }
        if self.kind == "ingress":
            networking |= {"advertisedAddress": self.address, "advertisedPort": PORT}
        return {"type": RESOURCES[self.kind], "name": self.name, "networking": networking}

    @property
    def path(self) -> str:
        """In the API."""
        return f"/{PATHS[self.kind]}/{self.name}"


def through_egress(stage: Stage) -> None:
    """All that leaves the mesh goes through it; mTLS is on."""
    backend = {"name": "ca-1", "type": "builtin"}
    stage.put(
        "/meshes/default",
        {
            "type": "Mesh",
            "name": "default",
            "mtls": {"enabledBackend": "ca-1", "backends": [backend]},
            "routing": {"zoneEgress": True},
            "networking": {"outbound": {"passthrough": False}},
        },
    )


def zone_token(stage: Stage, kind: str) -> str:
    asked = json.dumps({"zone": "default", "scope": [kind], "validFor": "24h"}).encode()
    answer = stage.daemon.api("POST", "/tokens/zone", JSON, asked)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def start_zone_proxy(stage: Stage, things: contextlib.ExitStack, name: str, kind: str) -> ZoneProxy:
    """It brings its resource along. `things` end it."""
    place = stage.proxy(name)  # an address and a folder of its own
    proxy = ZoneProxy(name, kind, place.address, place.envoy)
    token = zone_token(stage, kind)
    request = bootstrap_request(name, kind, proxy.envoy, token=token, resource=proxy.resource)
    bootstrap = ask_for_bootstrap(stage.port, request)
    things.enter_context(proxy.envoy)
    proxy.envoy.start(bootstrap.document)
    eventually(
        f"{name} is configured",
        lambda: proxy.envoy.stat("listener_manager.workers_started") == 1,
    )
    return proxy


@contextlib.contextmanager
def by_kuma_dp(
    stage: Stage, name: str, kind: str, program: Sequence[str], **environ: str
) -> Iterator[ZoneProxy]:
    """One that `program`, a kuma-dp, has started from files. It ends as it is asked to."""
    place = stage.proxy(name)
    proxy = ZoneProxy(name, kind, place.address, place.envoy)
    folder = proxy.envoy.folder
    folder.mkdir(parents=True)
    resource, token = folder / "zone-proxy.yaml", folder / "token"
    resource.write_text(json.dumps(proxy.resource))
    token.write_text(zone_token(stage, kind))
    flags = (
        *("--proxy-type", kind, "--cp-address", f"https://127.0.0.1:{stage.port}"),
        *("--dataplane-file", str(resource), "--dataplane-token-file", str(token)),
        *("--binary-path", str(proxy.envoy.binary), "--concurrency", "1", "--drain-time", "1s"),
    )

    def is_configured() -> bool:
        return proxy.envoy.stat("listener_manager.workers_started") == 1

    with running_program(program, flags, proxy.envoy, is_configured, **environ):
        yield proxy


def subscriptions(stage: Stage, proxy: ZoneProxy) -> list[dict[str, Any]]:
    """Of its insight."""
    insight = "zoneEgressInsight" if proxy.kind == "egress" else "zoneIngressInsight"
    found: list[dict[str, Any]] = (
        stage.get(f"{proxy.path}/_overview").get(insight, {}).get("subscriptions", [])
    )
    return found
