"""What matching reads of the resources of a mesh."""

from __future__ import annotations

from typing import Any

from kong_mesh_cp.core.policy.rules.destinations import Port, Section
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.proxies import GatewayListener, GatewayRole, Inbound, Listener
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import has_spec
from support.suites.offline_suites import STORED_AT, proxy_among, resource_of, view_of

SOURCE = Meta("MeshTimeout", "default", "t")


def _dataplane(**networking: Any) -> dict[str, Any]:
    return {"type": "Dataplane", "mesh": "default", "name": "dp-1", "networking": networking}


def test_an_inbound_listens_where_it_says_or_where_the_proxy_is() -> None:
    proxy = proxy_among(
        [
            _dataplane(
                address="10.0.0.1",
                inbound=[
                    {"port": 80, "name": "main", "tags": {"kuma.io/service": "web"}},
                    {"port": 81, "address": "10.0.0.2", "state": "Ignored"},
                ],
            )
        ]
    )

    assert proxy.inbounds == (
        Inbound(Listener("10.0.0.1", 80), {"kuma.io/service": "web"}, "main"),
        Inbound(Listener("10.0.0.2", 81), ignored=True),
    )
    assert proxy.gateway is None


def test_a_gateway_is_delegated_unless_it_says_builtin() -> None:
    tags = {"kuma.io/service": "edge"}

    delegated = proxy_among([_dataplane(address="10.0.0.1", gateway={"tags": tags})])
    builtin = proxy_among(
        [_dataplane(address="10.0.0.1", gateway={"type": "BUILTIN", "tags": tags})]
    )

    assert delegated.gateway == GatewayRole(builtin=False, tags=tags)
    assert builtin.gateway == GatewayRole(builtin=True, tags=tags)


def test_a_dataplane_without_networking_has_nothing_to_select() -> None:
    proxy = proxy_among([{"type": "Dataplane", "mesh": "default", "name": "dp-1"}])

    assert (proxy.inbounds, proxy.gateway) == ((), None)


def test_a_listener_without_hostname_takes_any() -> None:
    resource = resource_of(
        {
            "type": "MeshGateway",
            "name": "edge",
            "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "tags": {"team": "a"},
            "conf": {
                "listeners": [
                    {"port": 80, "protocol": "HTTP"},
                    {"port": 81, "hostname": "a.com", "tags": {"l": "x"}},
                ]
            },
        }
    )
    assert has_spec(resource, MeshGateway)

    gateway = gateway_of(resource)

    assert gateway.listeners == (GatewayListener(80, "*"), GatewayListener(81, "a.com", {"l": "x"}))
    assert (gateway.selectors, gateway.tags) == (({"kuma.io/service": "edge"},), {"team": "a"})
    assert gateway.created_at == STORED_AT


def test_the_view_of_a_mesh_holds_what_concerns_proxies() -> None:
    ports = [{"port": 80, "name": "http"}, {"port": 81}]
    view = view_of(
        [
            {"type": "Mesh", "name": "default"},
            {"type": "MeshRetry", "name": "r", "spec": {"to": []}},
            {"type": "MeshService", "name": "web", "spec": {"ports": ports}},
            {"type": "MeshExternalService", "name": "db", "spec": {"match": {"port": 80}}},
            {"type": "Zone", "name": "east", "spec": {}},
            _dataplane(address="10.0.0.1"),
        ]
    )

    assert [policy.meta.name for policy in view.policies] == ["r"]
    (web,) = view.destinations.meant_by(TargetRef(kind="MeshService", name="web"), SOURCE)
    (mesh,) = view.destinations.meant_by(TargetRef(kind="Mesh"), SOURCE)
    (database,) = view.destinations.meant_by(
        TargetRef(kind="MeshExternalService", name="db"), SOURCE
    )
    assert web.destination.ports == (Port(80, "http"), Port(81))
    assert mesh.destination.meta == Meta("Mesh", "", "default")
    assert database == Section(database.destination)
