"""MeshGateway: listeners, and how they get along on one port."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.schema.messages import read_message
from support.specs.kinds import ANY_SERVICE, Found, found, shown

LISTENER: dict[str, Any] = {"port": 80, "protocol": "HTTP"}
SECRET = {"secret": "cert"}


def gateway(*listeners: object, **more: Any) -> dict[str, Any]:
    return {"selectors": ANY_SERVICE, "conf": {"listeners": list(listeners)}} | more


def at_listener(**change: Any) -> Found:
    prefix = "conf.listeners[0]"
    return [
        (field.removeprefix(prefix).removeprefix("."), message)
        for field, message in found("MeshGateway", gateway(LISTENER | change))
    ]


def test_a_gateway_with_everything_is_valid_and_shown_as_it_was() -> None:
    listener = {
        "hostname": "*.example.com",
        "port": 443,
        "protocol": "HTTPS",
        "tls": {
            "mode": "TERMINATE",
            "certificates": [SECRET, {"inlineString": "x"}],
            "options": {},
        },
        "tags": {"name": "https"},
        "resources": {"connectionLimit": 2},
    }
    body = gateway(listener, tags={"product": "edge"})
    assert found("MeshGateway", body) == []
    assert shown("MeshGateway", body) == body


def test_the_original_name_of_a_limit_is_read() -> None:
    body = gateway(LISTENER | {"resources": {"connection_limit": 2}})
    assert shown("MeshGateway", body)["conf"]["listeners"][0]["resources"] == {"connectionLimit": 2}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (gateway(LISTENER, selectors=[]), [("selectors", "must have at least one element")]),
        ({"selectors": ANY_SERVICE}, [("conf", "cannot be empty")]),
        (gateway(), [("conf.listeners", "cannot be empty")]),
        (
            gateway(LISTENER, tags={"kuma.io/service": "a"}),
            [('tags["kuma.io/service"]', 'tag name must not be "kuma.io/service"')],
        ),
        (
            gateway(LISTENER, selectors=[{"match": {"a": "b"}}]),
            [("selectors[0].match", 'mandatory tag "kuma.io/service" is missing')],
        ),
    ],
)
def test_a_gateway_has_selectors_and_listeners(body: dict[str, Any], expected: Found) -> None:
    assert found("MeshGateway", body) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"port": 0}, [("port", "port must be in the range [1, 65535]")]),
        ({"protocol": "NONE"}, [("protocol", "cannot be empty")]),
        ({"hostname": "a$"}, [("hostname", "invalid hostname")]),
        ({"hostname": "*.a.*"}, [("hostname", "invalid wildcard domain")]),
        ({"hostname": "*"}, []),
        ({"protocol": "HTTPS"}, [("tls", "cannot be empty")]),
        (
            {"protocol": "HTTPS", "tls": {"mode": "PASSTHROUGH"}},
            [("tls.mode", "mode is not supported on HTTPS listeners")],
        ),
        ({"protocol": "TLS", "tls": {"mode": "PASSTHROUGH"}}, []),
        ({"protocol": "TLS", "tls": {}}, [("tls.mode", "cannot be empty")]),
        (
            {"protocol": "TLS", "tls": {"mode": "TERMINATE"}},
            [("tls.certificates", "cannot be empty in TLS termination mode")],
        ),
        (
            {"protocol": "TLS", "tls": {"mode": "TERMINATE", "certificates": [SECRET] * 3}},
            [("tls.certificates", "cannot have more than 2 certificates")],
        ),
        ({"crossMesh": True}, []),
        (
            {"crossMesh": True, "protocol": "HTTPS"},
            [("protocol", "protocol is not supported with crossMesh")],
        ),
        (
            {"crossMesh": True, "tls": {"mode": "TERMINATE"}},
            [("tls", "must be empty with crossMesh")],
        ),
        ({"crossMesh": True, "tls": {}}, []),
        (
            {"tags": {"kuma.io/zone": "a"}},
            [('tags["kuma.io/zone"]', 'tag name must not be "kuma.io/zone"')],
        ),
    ],
)
def test_a_listener(change: dict[str, Any], expected: Found) -> None:
    assert at_listener(**change) == expected


def test_a_gateway_across_meshes_has_one_selector() -> None:
    body = gateway(LISTENER | {"crossMesh": True}, selectors=ANY_SERVICE * 2)
    assert found("MeshGateway", body) == [("selectors[1]", "there can be at most one selector")]
    assert found("MeshGateway", gateway(LISTENER, selectors=ANY_SERVICE * 2)) == []


@pytest.mark.parametrize(
    ("listeners", "message", "places"),
    [
        (
            [{"hostname": "a"}, {"hostname": "b", "protocol": "TCP"}],
            "protocol conflicts with other listeners on this port",
            ["[0]", "[1]"],
        ),
        ([{}, {"hostname": "*"}], "multiple listeners for hostname on this port", ["[0]", "[1]"]),
        ([{"hostname": "a"}, {"hostname": "a", "port": 81}], "", []),
        (
            [
                {"hostname": "a", "resources": {"connectionLimit": 1}},
                {"hostname": "b", "resources": {"connectionLimit": 2}},
                {"hostname": "c"},
            ],
            "conflicting values for this port",
            ["[0].resources.connectionLimit", "[1].resources.connectionLimit"],
        ),
    ],
)
def test_listeners_of_one_port_get_along(
    listeners: list[dict[str, Any]], message: str, places: list[str]
) -> None:
    body = gateway(*(LISTENER | each for each in listeners))
    expected = [(f"conf.listeners{place}", message) for place in places]
    assert found("MeshGateway", body) == expected


def test_one_listener_makes_the_whole_gateway_cross_meshes() -> None:
    body = gateway(LISTENER, LISTENER | {"crossMesh": True})
    assert read_message(MeshGateway, body).is_cross_mesh
    assert not read_message(MeshGateway, gateway(LISTENER)).is_cross_mesh
    assert not read_message(MeshGateway, {}).is_cross_mesh
