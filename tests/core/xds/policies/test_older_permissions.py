"""TrafficPermissions as one proxy meets them.

Source: docs/wire/mtls.md#permissions
"""

from __future__ import annotations

from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.subsets import Tag
from kong_mesh_cp.core.resources.kinds.dataplane import Inbound, Networking
from kong_mesh_cp.core.resources.kinds.legacy.traffic_permission import TrafficPermission
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.tags import Selector, Tags
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.policies.older_permissions import OlderPermission, older_permissions
from kong_mesh_cp.core.xds.world import MeshWorld, by_type, mesh_world
from support.specs.shop_resources import resource

BACKENDS = Networking(
    inbound=(
        Inbound(port=80, tags={"kuma.io/service": "web"}),
        Inbound(port=81, tags={"kuma.io/service": "api"}),
    )
)


def world(**permissions: tuple[list[Tags], Tags]) -> MeshWorld:
    """Of permissions: their sources, and their destination."""
    resources = [
        resource(
            "TrafficPermission",
            name,
            TrafficPermission(
                sources=tuple(Selector(match=each) for each in sources),
                destinations=(Selector(match=destination),),
            ),
        )
        for name, (sources, destination) in permissions.items()
    ]
    return mesh_world(
        resource("Mesh", "shop", Mesh()), by_type(resources), MeshView(), zone="default"
    )


def found(of: MeshWorld) -> tuple[OlderPermission, ...]:
    return older_permissions(BACKENDS, of, Parts())


ANY = {"kuma.io/service": "*"}
WEB = {"kuma.io/service": "web"}


def test_where_none_is_about_the_proxy_they_say_nothing() -> None:
    assert found(world()) == ()
    assert found(world(elsewhere=([ANY], {"kuma.io/service": "other"}))) == ()


def test_an_inbound_without_one_lets_nobody_pass_when_another_has_one() -> None:
    assert found(world(everybody=([ANY], WEB))) == (
        OlderPermission("everybody", ((),)),
        OlderPermission(),
    )


def test_the_closest_one_counts_alone() -> None:
    first, _ = found(world(all=([ANY], ANY), web=([{"kuma.io/service": "a"}], WEB)))
    assert first == OlderPermission("web", ((Tag("kuma.io/service", "a"),),))


def test_a_source_asks_for_its_tags_by_name_and_for_the_service_last() -> None:
    source = {"version": "v1", "kuma.io/service": "a", "env": "dev", "team": "*"}
    first, _ = found(world(web=([source], WEB)))
    assert first.clients == (
        (Tag("env", "dev"), Tag("version", "v1"), Tag("kuma.io/service", "a")),
    )
