"""Names of certificates and servers, as the original writes them.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.spiffe import (
    mesh_prefix,
    resource_server_name,
    server_name,
    service_id,
    tag_id,
)


def test_services_and_tags_have_names_of_their_own() -> None:
    assert service_id("shop", "web") == "spiffe://shop/web"
    assert service_id("shop", "web").startswith(mesh_prefix("shop"))
    assert tag_id("kuma.io/zone", "east") == "kuma://kuma.io/zone/east"


def test_the_name_of_a_server_lists_its_tags_and_its_mesh_by_name() -> None:
    assert server_name("shop", {"kuma.io/service": "web"}) == "web{mesh=shop}"
    tags = {"version": "v1", "kuma.io/service": "web", "app": "x"}
    assert server_name("shop", tags) == "web{app=x,mesh=shop,version=v1}"


@pytest.mark.parametrize(
    ("kind", "name", "mesh", "port", "expected"),
    [
        ("ms", "backend", "demo", 8080, "ae10a8071b8a8eeb8.backend.8080.demo.ms"),
        ("mzms", "backend", "demo", 8080, "ae10a8071b8a8eeb8.backend.8080.demo.mzms"),
        ("ms", "backend", "default", 80, "a601e0c00295a9fbe.backend.80.default.ms"),
    ],
)
def test_the_name_of_a_resource_is_known_by_its_number(
    kind: str, name: str, mesh: str, port: int, expected: str
) -> None:
    assert resource_server_name(kind, name, mesh, port) == expected


def test_long_names_are_cut_to_what_a_label_holds() -> None:
    _, name, _, mesh, _ = resource_server_name("ms", "a" * 63, "b" * 62, 80).split(".")
    assert (name, mesh) == ("a" * 62 + "x", "b" * 62)
