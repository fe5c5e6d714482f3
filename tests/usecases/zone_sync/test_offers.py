"""What is there to send: docs/wire/zone-sync.md#down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.going_down import OPTIONAL_TARGET, Offer, Terms
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.zone_sync.offers import Offers, Recipient
from support.fakes.fake_resources import FakeResourceStore

TYPE = "MeshTimeout"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def offer(resource: SyncedResource) -> Offer:
    needed = frozenset() if "targetRef" in resource.spec else frozenset({OPTIONAL_TARGET})
    return Offer(resource=resource, plain_name=resource.key.name, terms=Terms(features=needed))


@asynccontextmanager
async def offered(**specs: str) -> AsyncIterator[Offers]:
    store = FakeResourceStore()
    for name, spec in specs.items():
        key = ResourceKey(TYPE, "m", name)
        await store.apply([Put(key=key, spec=spec, at=NOW, if_version=0)])
    replica = Replica(store)
    offers = Offers(replica, (TYPE,), offer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(offers.run)
        await offers.ready()
        yield offers
        nursery.cancel_scope.cancel()


def names(offers: Offers, recipient: Recipient) -> list[str]:
    return [*offers.snapshot(recipient).of_type(TYPE).resources]


async def test_a_resource_goes_to_zones_that_can_do_what_it_needs() -> None:
    async with offered(
        new='{"spec": {}}', old='{"spec": {"targetRef": {"kind": "Mesh"}}}'
    ) as offers:
        able = Recipient("east", frozenset({OPTIONAL_TARGET}))

        assert names(offers, able) == ["new.m", "old.m"]
        assert names(offers, Recipient("west")) == ["old.m"]


async def test_what_zones_say_beside_that_makes_no_list_of_their_own() -> None:
    async with offered(a='{"spec": {"targetRef": {"kind": "Mesh"}}}') as offers:
        east = Recipient("east", frozenset({"made-up-1"}))
        again = Recipient("east", frozenset({"made-up-2"}))

        one, other = offers.snapshot(east), offers.snapshot(again)
        assert one.of_type(TYPE) is other.of_type(TYPE)
