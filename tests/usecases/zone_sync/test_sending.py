"""The end of a stream that has resources: docs/wire/zone-sync.md#streams."""

from __future__ import annotations

from datetime import UTC, datetime

import trio
import trio.testing

from kong_mesh_cp.core.discovery.exchanges import WILDCARD, Request, Response
from kong_mesh_cp.core.discovery.type_order import TypeOrder
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.going_down import Offer, Terms
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.zone_sync.offers import Offers, Recipient
from kong_mesh_cp.usecases.zone_sync.sending import UNKNOWN_TYPES_MAX, Sender
from kong_mesh_cp.usecases.zone_sync.sync_ports import Asked, PeerTold
from support.fakes.fake_resources import FakeResourceStore

TYPE = "MeshTimeout"
ORDER = TypeOrder(order=(TYPE,), wildcard=frozenset({TYPE}))


class DeafPeer:
    """Takes nothing, and answers all that it could have been sent; it asks for all again."""

    def __init__(self) -> None:
        self.heard = 0

    async def receive(self) -> Asked | None:
        await trio.sleep(0.1)
        self.heard += 1
        nonce = str(self.heard // 3)  # there is time for the first response to be queued
        request = Request(type_url=TYPE, nonce=nonce, subscribe=(WILDCARD, "a.m"))
        return Asked(PeerTold(), request)

    async def send(self, _response: Response) -> None:
        await trio.sleep_forever()


def offer(resource: SyncedResource) -> Offer:
    return Offer(resource=resource, plain_name=resource.key.name, terms=Terms())


async def begin(_peer: PeerTold) -> Recipient:
    return Recipient()


async def test_a_peer_that_answers_what_it_has_not_read_is_not_heard_further(
    autojump_clock: trio.testing.MockClock,  # noqa: ARG001 — waiting takes no time
) -> None:
    store = FakeResourceStore()
    key = ResourceKey(TYPE, "m", "a")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await store.apply([Put(key=key, spec='{"spec": {}}', at=at, if_version=0)])
    replica, peer = Replica(store), DeafPeer()
    offers = Offers(replica, (TYPE,), offer)
    with trio.move_on_after(600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(replica.run)
            nursery.start_soon(offers.run)
            await Sender(peer, offers, ORDER).run(begin)

    assert UNKNOWN_TYPES_MAX < peer.heard < 6 * UNKNOWN_TYPES_MAX
