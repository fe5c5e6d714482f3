"""A MeshService that the control plane has made is called by its host name, through real Envoys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from support.daemons.daemon import eventually, free_port
from support.data_plane.applications import Place, ask
from support.data_plane.dig import dig
from support.data_plane.envoy_stage import INBOUND, VERSION, Stage, answers, staged
from support.data_plane.own_network import own_network
from support.data_plane.real_envoy import ask_for_bootstrap
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

VIRTUAL = "241.0.0.0/8"
HOST = "backend.svc.mesh.local"


def mesh(mode: str | None) -> dict[str, object]:
    found: dict[str, object] = {
        "type": "Mesh",
        "name": "default",
        "meshServices": {"mode": "Exclusive"},
    }
    if mode is not None:
        backend = {"name": "ca-1", "type": "builtin", "mode": mode}
        found["mtls"] = {"enabledBackend": "ca-1", "backends": [backend]}
    return found


def start_transparent(stage: Stage, dns_port: int, redirected_to: int) -> None:
    """A proxy that has outbounds for all there is to reach."""
    proxy = stage.proxy("web-1", "web")
    resource = proxy.resource
    resource["networking"].pop("outbound")
    resource["networking"]["transparentProxying"] = {
        "redirectPortInbound": free_port(),
        "redirectPortOutbound": redirected_to,
        "ipFamilyMode": "IPv4",
    }
    request = {
        "mesh": "default",
        "name": proxy.name,
        "proxyType": "dataplane",
        "dataplaneToken": stage.token(),
        "dataplaneResource": json.dumps(resource),
        "version": VERSION,
        "dnsPort": dns_port,
        "operatingSystem": "linux",
        "workdir": str(proxy.envoy.folder),
        "ipv6Enabled": False,
    }
    stage.launch(proxy, ask_for_bootstrap(stage.port, request))


async def resolved(dns_port: int, name: str) -> str:
    """Its address, as soon as the proxy's Envoy knows it."""
    with trio.fail_after(HANG_SECONDS):
        while True:
            found = (await dig(dns_port, name, "A")).addresses
            if found:
                return found[0]
            await trio.sleep(0.1)


@pytest.mark.parametrize("mode", [None, "STRICT"])
async def test_a_call_by_host_name_is_answered_by_every_instance(
    tmp_path: Path, mode: str | None
) -> None:
    redirected_to, dns_port = free_port(), free_port()
    with own_network(VIRTUAL, redirected_to), staged(tmp_path) as stage:
        stage.put("/meshes/default", mesh(mode))
        stage.permit()
        stage.start(stage.proxy("backend-1", "backend"))
        start_transparent(stage, dns_port, redirected_to)

        place = Place(await resolved(dns_port, HOST), INBOUND)
        eventually("it answers", lambda: answers(place))

        assert place.address.startswith("241.")
        assert ask(place).json["application"] == "backend-1"
        other = stage.start(stage.proxy("backend-2", "backend"))
        eventually("both answer", lambda: ask(place).json["application"] == other.name)
