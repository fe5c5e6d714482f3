"""What publishing relies on in a generator: the real one, and the one that its tests have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.xds.indexed_mesh import indexed_mesh
from kong_mesh_cp.usecases.data_plane.publishing.watches import says_the_same
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_of
from support.fakes.publishing import FakeGenerator, FakeWorlds
from support.fakes.resources import AT
from support.specs.random.random_meshes import put_of
from support.specs.xds_stage import RULES, generator, proxy


@dataclass(frozen=True)
class _Subject:
    """A generator, and worlds of `dp-0`, which calls `web` at an address."""

    generator: Any
    world: Callable[[str], Any]  # by the address of `web`


def _resource(type_name: str, name: str, document: dict[str, Any]) -> Resource[Any]:
    mesh = "" if type_name == "Mesh" else "default"
    put = put_of(ResourceKey(type_name, mesh, name), document, {})
    stored = StoredResource(key=put.key, version=1, spec=put.spec, created_at=AT, modified_at=AT)
    return resource_of(stored)


def _real_world(address: str) -> Any:
    def dataplane(name: str, at: str, service: str) -> Resource[Any]:
        networking = {
            "address": at,
            "inbound": [{"port": 80, "tags": {"kuma.io/service": service}}],
            "outbound": [{"port": 20000, "tags": {"kuma.io/service": "web"}}],
        }
        return _resource("Dataplane", name, {"networking": networking})

    items = [dataplane("dp-0", "10.0.0.1", "client"), dataplane("dp-1", address, "web")]
    return indexed_mesh(_resource("Mesh", "default", {}), items, RULES).world


def _fake_world(address: str) -> Any:
    worlds = FakeWorlds()
    worlds.put(texts={"dp-0": "text"}, endpoints={"web": address})
    return worlds.world("default")


@pytest.fixture(params=["real", "fake"])
def subject(request: pytest.FixtureRequest) -> _Subject:
    if request.param == "real":
        return _Subject(generator(), _real_world)
    return _Subject(FakeGenerator(uses={"dp-0": {"web"}}), _fake_world)


def test_of_a_proxy_that_is_not_in_the_world_nothing_is_made(subject: _Subject) -> None:
    assert subject.generator.generate(proxy("gone"), subject.world("10.0.0.2")) is None


def test_equal_worlds_make_equal_configurations_remembered_or_not(subject: _Subject) -> None:
    one = subject.generator.generate(proxy("dp-0"), subject.world("10.0.0.2"))
    subject.generator.turn()
    subject.generator.turn()
    other = subject.generator.generate(proxy("dp-0"), subject.world("10.0.0.2"))
    assert says_the_same(one.snapshot, other.snapshot)
    assert one.complaints == other.complaints == ()


def test_it_tells_the_services_that_a_configuration_depends_on(subject: _Subject) -> None:
    made = subject.generator.generate(proxy("dp-0"), subject.world("10.0.0.2"))
    assert "web" in made.services


def test_other_endpoints_alone_are_what_making_it_anew_gives(subject: _Subject) -> None:
    before = subject.generator.generate(proxy("dp-0"), subject.world("10.0.0.2"))
    moved = subject.world("10.0.0.3")
    found = subject.generator.with_endpoints(before, {"web"}, moved)
    anew = subject.generator.generate(proxy("dp-0"), moved)

    assert not says_the_same(before.snapshot, found.snapshot)
    assert says_the_same(found.snapshot, anew.snapshot)
    assert found.services == before.services


def test_endpoints_of_other_services_change_nothing(subject: _Subject) -> None:
    world = subject.world("10.0.0.2")
    before = subject.generator.generate(proxy("dp-0"), world)
    found = subject.generator.with_endpoints(before, {"db"}, subject.world("10.0.0.3"))
    assert says_the_same(before.snapshot, found.snapshot)


def test_nothing_has_to_be_prepared_where_there_is_nothing_to_sign(subject: _Subject) -> None:
    assert subject.generator.preparation(proxy("dp-0"), subject.world("10.0.0.2")) is None
