"""Before the authority of a mesh ends, the log says so, and the metrics show when."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.prometheus_text import metrics_text
from kong_mesh_cp.core.meshes.authority_id import AuthorityId
from kong_mesh_cp.core.meshes.authority_terms import LINES_MAX
from kong_mesh_cp.usecases.resources.provided_authorities import ProvidedAuthorities
from kong_mesh_cp.usecases.upkeep.authority_ends import AuthorityEnds
from kong_mesh_cp.usecases.upkeep.authority_watch import (
    GATHER_SECONDS,
    LOOK_SECONDS,
    AuthorityWatch,
)
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.authorities import certificate
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.identity import pem

pytestmark = pytest.mark.usefixtures("autojump_clock")

DAY = timedelta(days=1)
A_MOMENT = GATHER_SECONDS + 1


@dataclass
class Watched:
    """A store with a watch that runs; `later` lets time pass on both of its clocks."""

    api: ResourceApi
    ends: AuthorityEnds
    log: pytest.LogCaptureFixture
    nursery: trio.Nursery
    now: datetime = AT
    heard: int = 0

    def begin(self) -> None:
        """Watch from here on: making a mesh takes threads, and with them time of the clock."""
        authorities = ProvidedAuthorities(self.api.store, in_worker_thread=at_once)
        watch = AuthorityWatch(self.api.replica, authorities, self.ends, lambda: self.now)
        self.nursery.start_soon(watch.run)

    async def mesh(self, name: str, ends: datetime) -> None:
        conf = {"cert": {"secret": "c"}, "key": {"secret": "k"}}
        backends = [{"name": "ca", "type": "provided", "conf": conf}]
        await self.api.put("Mesh", name, skipCreatingInitialPolicies=["*"])
        await self.secret(name, "k", pem())
        await self.secret(name, "c", certificate(ends=ends))
        mtls = {"enabledBackend": "ca", "backends": backends}
        await self.api.put("Mesh", name, mtls=mtls)

    async def secret(self, mesh: str, name: str, data: bytes) -> None:
        await self.api.put("Secret", name, mesh=mesh, data=base64.b64encode(data).decode())

    async def later(self, time: timedelta = timedelta()) -> list[str]:
        """What was said since this was asked before."""
        self.now += time
        await trio.sleep(LOOK_SECONDS + A_MOMENT if time else A_MOMENT)
        said, self.heard = self.log.records[self.heard :], len(self.log.records)
        return [f"{each.levelname} {each.getMessage()}" for each in said]


T = TypeVar("T")


async def at_once(work: Callable[[], T]) -> T:
    await trio.lowlevel.checkpoint()
    return work()


@asynccontextmanager
async def watching(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Watched]:
    caplog.set_level(logging.INFO, "kong_mesh_cp.usecases.upkeep.authority_watch")
    async with trio.open_nursery() as nursery:
        watched = Watched(ResourceApi(), AuthorityEnds(), caplog, nursery)
        nursery.start_soon(watched.api.replica.run)
        yield watched
        nursery.cancel_scope.cancel()


async def test_one_line_a_day_begins_thirty_days_before(caplog: pytest.LogCaptureFixture) -> None:
    async with watching(caplog) as watched:
        await watched.mesh("shop", AT + 31 * DAY + timedelta(hours=2))
        watched.begin()
        assert await watched.later() == []
        (line,) = await watched.later(2 * DAY)
        assert line == (
            'WARNING mesh-ca-ends-soon: authority "ca" of mesh "shop" ends in 29 days, at'
            " 2026-12-22T14:00:00Z: from then on proxies refuse each other's certificates."
            " Put a new certificate and key where they come from: c, k."
        )
        assert await watched.later(timedelta(hours=1)) == []
        (line,) = await watched.later(DAY)
        assert "ends in 28 days" in line


async def test_what_has_ended_is_an_error_each_day(caplog: pytest.LogCaptureFixture) -> None:
    async with watching(caplog) as watched:
        await watched.mesh("shop", AT + timedelta(hours=1))
        watched.begin()
        (line,) = await watched.later()
        assert "ends in less than a day" in line
        (line,) = await watched.later(timedelta(hours=2))
        assert line.startswith(
            'ERROR mesh-ca-ended: authority "ca" of mesh "shop" ended at 2026-11-21T13:00:00Z:'
            " proxies refuse each other's certificates."
        )
        assert len(await watched.later(DAY)) == 1


async def test_a_new_pair_is_noticed_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with watching(caplog) as watched:
        await watched.mesh("shop", AT + DAY)
        watched.begin()
        assert len(await watched.later()) == 1
        await watched.secret("shop", "c", certificate(ends=AT + 365 * DAY))
        assert await watched.later() == [
            (
                'INFO mesh-ca-renewed: authority "ca" of mesh "shop" ends in 365 days, at'
                " 2027-11-21T12:00:00Z"
            )
        ]
        assert await watched.later(DAY) == []


async def test_of_very_many_the_first_to_end_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async with watching(caplog) as watched:
        for number in range(LINES_MAX + 3):
            await watched.mesh(f"m{number}", AT + timedelta(days=5, minutes=number))
        watched.begin()
        lines = await watched.later()
        assert len(lines) == LINES_MAX + 1
        assert 'mesh "m0"' in lines[0]
        assert "so do those of 3 more meshes" in lines[-1]


async def test_the_metrics_show_when_each_ends(caplog: pytest.LogCaptureFixture) -> None:
    async with watching(caplog) as watched:
        assert [family.samples for family in watched.ends.metrics()] == [()]
        await watched.mesh("shop", AT + 400 * DAY)
        watched.begin()
        await watched.later()
        assert watched.ends.known == {AuthorityId("shop", "ca"): AT + 400 * DAY}
        seconds = int((AT + 400 * DAY).timestamp())
        shown = metrics_text(watched.ends.metrics()).splitlines()[-1]
        name = "kong_mesh_mesh_ca_expiration_timestamp_seconds"
        assert shown == f'{name}{{mesh="shop",backend="ca"}} {seconds}'

        await watched.api.delete("Mesh", "shop")
        await watched.later()
        assert watched.ends.known == {}


async def test_an_authority_that_cannot_be_read_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watching(caplog) as watched:
        await watched.mesh("shop", AT + DAY)
        await watched.secret("shop", "c", b"x")
        watched.begin()
        assert await watched.later() == []
        assert watched.ends.known == {}


async def test_a_store_that_fails_is_told_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watching(caplog) as watched:
        await watched.mesh("shop", AT + DAY)
        watched.begin()
        await watched.later()
        store = watched.api.store
        assert isinstance(store, FakeResourceStore)
        store.failure = StateError("is away", code="store-failed", hint="Wait.")
        assert any("authorities-not-looked-at" in line for line in await watched.later(DAY / 2))
        assert await watched.later(DAY / 48) == []
        store.failure = None
        assert any("authorities-looked-at-again" in line for line in await watched.later(DAY / 48))
