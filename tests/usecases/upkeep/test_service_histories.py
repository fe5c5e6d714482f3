"""Whatever has happened to a mesh, its services are as if all had happened at once.

Source: docs/wire/services.md#services
"""

from __future__ import annotations

import json

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Selection
from support.fakes.observed import Json, Observed, subscription
from support.meshes.observed_services import (
    COUNTS_INTERVAL,
    EVERYWHERE,
    HOUR,
    MTLS,
    dataplane,
    generator,
    inbound,
    keeping,
    mesh,
    put,
)

NAMES = st.sampled_from(["a", "b", "c"])
SERVICES = st.sampled_from(["web", "api", "x_y"])
STEPS = st.one_of(
    st.tuples(st.just("dataplane"), NAMES, SERVICES, st.integers(80, 81)),
    st.tuples(st.just("no dataplane"), NAMES),
    st.tuples(st.just("insight"), NAMES, st.booleans(), st.booleans()),
    st.tuples(st.just("mesh"), st.sampled_from([EVERYWHERE, MTLS, {}])),
    st.tuples(st.just("service"), SERVICES, NAMES),
    st.tuples(st.just("no service"), SERVICES),
    st.tuples(st.just("multi"), NAMES, st.sampled_from(["", "web", "t"])),
    st.tuples(st.just("generator"), NAMES, st.sampled_from(["{{ .Name }}.x", "same.x"])),
    st.tuples(st.just("no generator"), NAMES),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 10.0, HOUR])),
)


async def take(observed: Observed, step: tuple[object, ...]) -> None:
    match step:
        case ("dataplane", str(name), str(service), int(port)):
            await dataplane(observed, name, inbound(port, service))
        case ("insight", str(name), bool(is_online), bool(certified)):
            document: Json = {"subscriptions": [subscription()] if is_online else []}
            await observed.put(
                "DataplaneInsight",
                "m",
                name,
                {**document, "mTLS": {"issuedBackend": "ca" if certified else ""}},
            )
        case ("mesh", dict(spec)):
            await mesh(observed, spec)
        case ("service", str(service), str(name)):
            spec = {"selector": {"dataplaneRef": {"name": name}}, "ports": [{"port": 80}]}
            await put(observed, "MeshService", service.replace("_", "-"), spec, labels={"t": "t"})
        case ("multi", str(name), str(label)):
            spec = {"selector": {"meshService": {"matchLabels": {"t": label}}}}
            await put(observed, "MeshMultiZoneService", name, {**spec, "ports": [{"port": 1}]})
        case ("generator", str(name), str(template)):
            await generator(observed, name, template, "meshService")
        case ("wait", float(seconds)):
            await trio.sleep(seconds)
        case (str(gone), str(name)):
            types = {
                "no dataplane": ("Dataplane", "m"),
                "no service": ("MeshService", "m"),
                "no generator": ("HostnameGenerator", ""),
            }
            type_name, in_mesh = types[gone]
            name = name.replace("_", "-")
            if await observed.store.get(ResourceKey(type_name, in_mesh, name)):
                await observed.delete(type_name, in_mesh, name)
        case _:
            raise AssertionError(step)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_a_control_plane_that_begins_anew_finds_nothing_to_do(
    steps: list[tuple[object, ...]],
) -> None:
    async def run() -> None:
        observed = Observed()
        await mesh(observed)
        async with keeping(observed):
            for step in steps:
                await take(observed, step)
            await trio.sleep(2 * COUNTS_INTERVAL)
        revision = await observed.store.revision()
        async with keeping(observed):
            await trio.sleep(2 * COUNTS_INTERVAL)
        assert await observed.store.revision() == revision
        given = [
            json.loads(each.status or "{}").get("vips")
            for each in (await observed.store.list(Selection(type="MeshService"))).items
        ]
        assert len({str(each) for each in given}) == len(given)

    trio.run(run, clock=MockClock(autojump_threshold=0))
