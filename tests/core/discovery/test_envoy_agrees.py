"""Both variants of a stream against a model of Envoy, under any interleaving."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.type_order import (
    CLUSTERS,
    ENDPOINTS,
    ENVOY,
    LISTENERS,
    ROUTES,
    SECRETS,
)
from support.suites.envoy_model import EnvoyModel, Exchange

EXAMPLES = 40
NAMES = ("a", "b", "c", "d")
# Of a service: none, or which content its cluster, endpoints, listener and route have.
SERVICE = st.none() | st.tuples(*[st.integers(0, 2)] * 4)
WORLD = st.fixed_dictionaries(dict.fromkeys(NAMES, SERVICE))
STEP = st.one_of(
    WORLD,
    st.sampled_from(["response", "request", "response", "request", "settle"]),
)
BAD = st.sampled_from([CLUSTERS, ENDPOINTS, LISTENERS, ROUTES])


def resource(name: str, content: int, **refers: list[str]) -> Resource:
    return Resource.of(name, json.dumps({"content": content, "refers": refers}).encode())


def refers(_: str, each: Resource) -> Mapping[str, list[str]]:
    types = {"clusters": CLUSTERS, "endpoints": ENDPOINTS, "routes": ROUTES, "secrets": SECRETS}
    return {types[key]: names for key, names in json.loads(each.packed)["refers"].items()}


def snapshot(services: Mapping[str, tuple[int, ...] | None]) -> Snapshot:
    """Each service has a cluster with endpoints and a secret, and a listener with a route."""
    made = {name: each for name, each in services.items() if each is not None}
    return Snapshot.of(
        {
            CLUSTERS: [
                resource(name, each[0], endpoints=[name], secrets=["ca"])
                for name, each in made.items()
            ],
            ENDPOINTS: [resource(name, each[1]) for name, each in made.items()],
            LISTENERS: [
                resource(name, each[2], clusters=[name], routes=[f"r-{name}"], secrets=["id"])
                for name, each in made.items()
            ],
            ROUTES: [
                resource(f"r-{name}", each[3], clusters=[name]) for name, each in made.items()
            ],
            SECRETS: [
                resource("ca", 0),
                resource("id", 100 + sum(each[1] for each in made.values())),
            ],
        }
    )


def step(exchange: Exchange, what: object) -> None:
    match what:
        case "response":
            exchange.deliver_response()
        case "request":
            exchange.deliver_request()
        case "settle":
            exchange.settle()
        case "reconnect":
            exchange.connect()
        case _:
            exchange.publish(snapshot(what))  # type: ignore[arg-type]


def assert_all_is_told(exchange: Exchange) -> None:
    assert exchange.snapshot is not None
    envoy = exchange.envoy
    for url in ENVOY.order:
        assert envoy.has[url] == envoy.expected(exchange.snapshot, url), url


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
@settings(deadline=None, max_examples=EXAMPLES)
@given(first=WORLD, steps=st.lists(STEP, max_size=25))
def test_envoy_ends_with_the_last_snapshot_and_never_lacks_what_it_uses(
    delta: bool, first: dict[str, tuple[int, ...] | None], steps: list[object]
) -> None:
    exchange = Exchange(EnvoyModel(refers, delta=delta))
    for each in (first, *steps, "settle"):
        step(exchange, each)

    assert_all_is_told(exchange)
    assert exchange.envoy.breaks == []
    assert exchange.stream.in_sync
    assert all(
        each.sent == each.acknowledged and not each.rejected
        for each in exchange.stream.counts.values()
    )


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
@settings(deadline=None, max_examples=EXAMPLES)
@given(first=WORLD, steps=st.lists(STEP | st.just("reconnect"), max_size=25))
def test_envoy_ends_with_the_last_snapshot_however_often_its_stream_ends(
    delta: bool, first: dict[str, tuple[int, ...] | None], steps: list[object]
) -> None:
    exchange = Exchange(EnvoyModel(refers, delta=delta))
    for each in (first, *steps, "settle"):
        step(exchange, each)
    assert_all_is_told(exchange)

    # Names that it dropped since are no part of what it has: it may be told once without them.
    exchange.connect()
    exchange.settle()
    exchange.connect()
    exchange.settle()

    assert exchange.nonce == 0 or not any(exchange.envoy.has[CLUSTERS])
    assert_all_is_told(exchange)


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
@settings(deadline=None, max_examples=EXAMPLES)
@given(
    first=WORLD,
    steps=st.lists(STEP | st.just("reconnect"), max_size=25),
    last=WORLD,
    url=BAD,
)
def test_what_is_refused_is_told_once_and_harms_nothing_else(
    delta: bool,
    first: dict[str, tuple[int, ...] | None],
    steps: list[object],
    last: dict[str, tuple[int, ...] | None],
    url: str,
) -> None:
    """Content 2 of one type is refused, until it is gone."""
    place = [CLUSTERS, ENDPOINTS, LISTENERS, ROUTES].index(url)
    only_bad = tuple(2 if place == at else 0 for at in range(4))
    bad = {
        each.packed
        for name in NAMES
        for each in snapshot({name: only_bad}).of_type(url).resources.values()
    }
    exchange = Exchange(EnvoyModel(refers, bad=lambda each: each.packed in bad, delta=delta))
    for each in (first, *steps, "settle"):
        step(exchange, each)
    good = {name: each and tuple(min(1, i) for i in each) for name, each in last.items()}

    exchange.publish(snapshot(good))
    exchange.settle()

    assert_all_is_told(exchange)
    assert exchange.stream.refused == frozenset()
    assert exchange.stream.in_sync
