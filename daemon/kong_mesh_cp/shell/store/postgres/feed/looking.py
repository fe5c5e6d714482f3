"""Looks at what was changed in this database, by whomever, and tells the readers of a feed."""

from __future__ import annotations

import logging
import math
from typing import Final, NoReturn

import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.postgres import rows
from kong_mesh_cp.shell.store.postgres.connections import Connections
from kong_mesh_cp.shell.store.postgres.failures import PASSING, READ_ONLY, unreachable
from kong_mesh_cp.shell.store.postgres.feed import changes
from kong_mesh_cp.shell.store.postgres.feed.changes import News
from kong_mesh_cp.shell.store.postgres.feed.notices import StrangeNotices
from kong_mesh_cp.shell.store.postgres.schema import require_writable
from kong_mesh_cp.usecases.following.failure_log import FailureLog

ANSWER_SECONDS_MAX: Final = 5.0  # then a server that says nothing counts as one that is away
BEAT_SECONDS: Final = 2.0  # the table is looked at, whatever was heard or was not
PACE_SECONDS: Final = 0.02  # from one look to the next, however much is heard

log = logging.getLogger(__name__)


class Lookout:
    """Feeds `feed` from the database, and is the only one that does, until cancelled.

    `feed` never goes beyond the revision that the database has.
    """

    def __init__(self, connections: Connections, feed: ChangeFeed) -> None:
        self.strange = StrangeNotices(connections.address)
        self._connections = connections
        self._feed = feed
        self._called = trio.Event()
        self._doubted = False
        self._failure: StateError | None = None  # of the last look
        self._closed_to_changes: StateError | None = None  # at the last beat
        self._asked_at = math.inf  # of the look that is under way
        self._told = 0
        self._complaints = FailureLog(log, "store-changes-not-read", "store-changes-read-again")
        self._read_only = FailureLog(
            log,
            READ_ONLY,
            "store-writable-again",
            meanwhile="it is looked at again, and until then nothing is kept",
            over="the store takes changes again",
            level=logging.WARNING,
        )

    def failure(self) -> StateError | None:
        """`StoreFailure`: by the last look, or by one that takes too long."""
        if trio.current_time() - self._asked_at > ANSWER_SECONDS_MAX:
            said = f"it has not answered for {ANSWER_SECONDS_MAX:g} seconds"
            return self._failure or unreachable(said, self._connections.address)
        return self._failure or self._closed_to_changes

    @property
    def called(self) -> bool:
        """Whether it is about to look anyway."""
        return self._called.is_set()

    def call(self) -> None:
        """There may be something to see."""
        self._called.set()

    def hear(self, told: int | None) -> None:
        """The store is said to be at the revision `told`; None: at a newer one."""
        if told is None or told > self._feed.revision:
            self._told = max(self._told, told or 0)
            self.call()

    def doubt(self) -> None:
        """What was known may be another server's past: after a failover its numbers begin anew."""
        self._doubted = True
        self.call()

    async def run(self) -> NoReturn:
        # Not on the connection that listens: an answer there comes after all that was said.
        while True:
            with trio.move_on_after(BEAT_SECONDS) as beat:
                await self._called.wait()
            # Before the look: what is called out during it may be too late for it.
            self._called = trio.Event()
            looked_at = self._asked_at = trio.current_time()
            await self._look()
            if beat.cancelled_caught:  # what was heard of was written
                await self._see_whether_it_takes_changes()
            self._asked_at = math.inf
            await trio.sleep_until(looked_at + PACE_SECONDS)

    async def _look(self) -> None:
        told, self._told = self._told, 0
        try:
            news = await self._news(self._feed.revision)
        except StateError as error:
            self._failure = error
            # A server that is away is logged by the listener.
            if error.code not in PASSING:
                self._complaints.failed(error)
            return
        self._failure = None
        doubted, self._doubted = self._doubted, False
        if doubted or (news is not None and news.changes is None):
            self._feed.resync(self._feed.revision if news is None else news.revision)
        elif news is not None and news.changes is not None:
            self._feed.publish(news.changes)
        if told > self._feed.revision:
            # A notice comes after what it tells of can be seen: this one is forged.
            self.strange.note(trio.current_time())

    async def _see_whether_it_takes_changes(self) -> None:
        address = self._connections.address
        try:
            await self._connections.use(lambda c: require_writable(c, address))
        except StateError as error:
            if error.code == READ_ONLY:
                self._closed_to_changes = error
                self._read_only.failed(error)
        else:
            self._closed_to_changes = None
            self._read_only.succeeded()

    async def _news(self, known: int) -> News | None:
        """Raises: StateError when not even the revision can be read."""
        try:
            news = await self._connections.use(lambda c: changes.since(c, known))
        except StateError as error:
            if error.code in PASSING:
                raise
            self._complaints.failed(error)
            revision = await self._connections.use(rows.revision)
            return None if revision == known else News(revision, None)
        self._complaints.succeeded()
        return news
