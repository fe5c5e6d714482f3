"""Names of certificates and servers, as the original writes them.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from kong_mesh_cp.core.meshes.spiffe import (
    mesh_prefix,
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
