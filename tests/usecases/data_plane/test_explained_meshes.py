"""Of random meshes: what is explained is what is generated from, and what is foretold comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.destinations import DestinationId
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.policy.rules.proxies import Listener
from kong_mesh_cp.core.policy.rules.subsets import Tag
from kong_mesh_cp.core.policy.typed_confs import TypedConf
from kong_mesh_cp.core.xds.explaining.carrying import changed
from kong_mesh_cp.core.xds.explaining.explanation import Wanted, explained
from kong_mesh_cp.core.xds.explaining.foretelling import Foretelling
from kong_mesh_cp.core.xds.explaining.narrowing import narrowed
from kong_mesh_cp.core.xds.generate import generate
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, WorldRules, next_mesh
from kong_mesh_cp.core.xds.matching import BOTH_WAYS, Matched
from kong_mesh_cp.core.xds.names import LISTENER, outbound_listener
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import GenerationTerms, ProxyView
from kong_mesh_cp.core.xds.targets import targets_of
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld
from kong_mesh_cp.usecases.data_plane.mesh_contents import (
    from_scratch,
    read_items,
    stored_of_mesh,
)
from kong_mesh_cp.usecases.data_plane.proxy_configurations import sample_view
from kong_mesh_cp.usecases.resources.reader import mesh_key
from support.fakes.fake_resources import FakeResourceStore
from support.specs.random.random_meshes import MESH, RandomMesh, put_of

ID_MEMBERS = ("type", "mesh", "zone", "namespace", "name", "sectionName")
SEEDS = range(12)
WRITES = 120  # transactions
RULES = WorldRules(zone="default", domain="mesh", service_port=80)

view_of = partial(sample_view, terms=GenerationTerms())


class Stage:
    """A store that random writes go to."""

    def __init__(self, seed: int) -> None:
        self.store = FakeResourceStore()
        self._source = RandomMesh(seed)
        self._there: set[Any] = set()

    async def write(self, times: int) -> None:
        await self.store.apply([put_of(mesh_key(MESH), {}, {})])
        for _ in range(times):
            await self.store.apply(self._source.writes(self._there.__contains__))
            self._there = set(await stored_of_mesh(self.store, MESH))

    async def index(self) -> IndexedMesh:
        stored = await stored_of_mesh(self.store, MESH)
        found = from_scratch(await read_items([*stored.values()]), mesh_key(MESH), RULES)
        assert found is not None
        return found


def views(world: MeshWorld) -> Iterator[ProxyView]:
    for name in world.of_type(DATAPLANE):
        view = view_of(world, name)
        assert view is not None
        yield view


def folded(settings: Sequence[Mapping[str, Any]]) -> Any:
    """The conf that the settings of policies come to, put together by their names alone."""
    conf: Any = {}
    for each in settings:
        if each["source"] != "policy":
            continue
        parts = each["member"].replace("[", ".[").split(".")
        holder: Any = conf
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            empty: Any = each["value"] if following is None else [] if "[" in following else {}
            if "[" not in part:
                holder = holder.setdefault(part, empty)
                continue
            index = int(part.strip("[]"))
            if index == len(holder):
                holder.append(empty)
            holder = holder[index]
    return conf


def conf_text(conf: TypedConf | None) -> Any:
    return None if conf is None else json.loads(conf.text)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_settings_come_to_the_very_confs_that_matching_gives(seed: int) -> None:
    stage = Stage(seed)
    await stage.write(WRITES)
    world, parts, compared = (await stage.index()).world, Parts(), 0
    for view in views(world):
        shown: Any = explained(view, parts, Wanted())
        matched = Matched(proxy_of(view.dataplane), world.policies, parts)
        for place in shown["outbounds"]:
            found = {
                (each["type"], each.get("route", "")): folded(each["settings"])
                for each in place["policies"]
            }
            for policy_type, traits in TRAITS.items():
                if not (traits.has_to or policy_type in BOTH_WAYS):
                    continue
                of_type = matched.of_type(policy_type)
                if "resource" in place:
                    ids = [place["resource"][each] for each in ID_MEMBERS]
                    confs = of_type.destination(DestinationId(*ids))
                else:
                    confs = of_type.service(place["service"])
                wanted = {"": confs.conf, **dict(confs.routes)}
                for route, conf in wanted.items():
                    assert found.get((policy_type, route), {}) == (conf_text(conf) or {})
                    compared += conf is not None
        for place in shown["inbounds"]:
            listener = Listener(place["address"], place["port"])
            for group in place["policies"]:
                about = matched.of_type(group["type"]).inbound(listener)
                if "clients" in group:
                    subset = tuple(
                        Tag(each["key"], each["value"], each["not"]) for each in group["clients"]
                    )
                    confs_of = {each.subset: each.conf for each in about.clients}
                    assert folded(group["settings"]) == conf_text(confs_of[subset])
                else:
                    assert folded(group["settings"]) == (conf_text(about.rules) or {})
                compared += 1
    assert compared > 0


async def test_a_narrowed_proxy_has_what_it_is_narrowed_to_as_it_was() -> None:
    compared = 0
    for seed in SEEDS:
        stage = Stage(seed)
        await stage.write(WRITES)
        parts = Parts()
        for view in views((await stage.index()).world):
            whole = generate(view, parts).snapshot.of_type(LISTENER).resources
            for target in targets_of(view, parts):
                fewer = narrowed(view, [target], parts)
                assert target in targets_of(fewer, parts)
                name = outbound_listener(target.address, target.port)
                made = generate(fewer, parts).snapshot.of_type(LISTENER).resources
                assert made.get(name) == whole.get(name)
                compared += len(targets_of(fewer, parts)) < len(targets_of(view, parts))
    assert compared > 0


async def test_what_is_foretold_of_a_change_is_all_that_comes_of_it() -> None:
    assert sum([await _foretold(seed) for seed in SEEDS]) > 0


async def _foretold(seed: int) -> int:
    """How many proxies would be told something else, which is checked."""
    stage = Stage(seed)
    await stage.write(WRITES)
    before, stored = await stage.index(), await stored_of_mesh(stage.store, MESH)
    await stage.write(4)
    later = await stored_of_mesh(stage.store, MESH)
    keys = [
        key
        for key in stored.keys() | later.keys()
        if key not in later or key not in stored or later[key].spec != stored[key].spec
    ]
    items = await read_items([later[key] for key in keys if key in later])
    changes = {key: items.get(key) for key in keys}
    after = next_mesh(before, changes)

    told = Foretelling(before, changes, view_of)
    foretold = {
        name: {each.name for each in proxy.resources}
        for name in told.candidates
        if (proxy := told.proxy(name)) is not None and proxy.resources
    }

    names = {*before.world.of_type(DATAPLANE), *after.world.of_type(DATAPLANE)}
    assert told.dataplanes == len(names)
    comes = {name: set(_differing(before.world, after.world, name)) for name in names}
    assert foretold == {name: found for name, found in comes.items() if found}
    return len(foretold)


def _differing(before: MeshWorld, after: MeshWorld, name: str) -> Any:
    """Each made from nothing, with nothing shared."""
    old, new = (
        generate(replace(view), Parts()).snapshot if view is not None else None
        for view in (view_of(before, name), view_of(after, name))
    )
    if old is None or new is None:
        one = old or new
        assert one is not None
        empty = replace(one, by_type={})
        return changed(empty, one)
    return changed(old, new)
