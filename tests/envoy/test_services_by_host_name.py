"""A MeshService that the control plane has made is called by its host name, through real Envoys."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.daemon import eventually, free_port
from support.data_plane.applications import Place, ask
from support.data_plane.dig import dig_here
from support.data_plane.envoy_stage import INBOUND, answers, staged
from support.data_plane.own_network import own_network

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


def resolved(dns_port: int, name: str) -> str:
    """Its address, as soon as the proxy's Envoy knows it."""
    found: list[str] = []

    def is_known() -> bool:
        found.extend(dig_here(dns_port, name, "A").addresses)
        return bool(found)

    eventually(f"{name} is known", is_known)
    return found[0]


@pytest.mark.parametrize("mode", [None, "STRICT"])
def test_a_call_by_host_name_is_answered_by_every_instance(
    tmp_path: Path, mode: str | None
) -> None:
    redirected_to, dns_port = free_port(), free_port()
    with own_network(VIRTUAL, redirected_to), staged(tmp_path) as stage:
        stage.put("/meshes/default", mesh(mode))
        stage.permit()
        stage.start(stage.proxy("backend-1", "backend"))
        stage.launch_transparent(stage.proxy("web-1", "web"), dns_port, redirected_to)

        place = Place(resolved(dns_port, HOST), INBOUND)
        eventually("it answers", lambda: answers(place))

        assert place.address.startswith("241.")
        assert ask(place).json["application"] == "backend-1"
        other = stage.start(stage.proxy("backend-2", "backend"))
        eventually("both answer", lambda: ask(place).json["application"] == other.name)
