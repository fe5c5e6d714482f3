"""Hears what was changed on this database, by whomever; comes back when the server does."""

from __future__ import annotations

import contextlib
import logging
from typing import NoReturn

import psycopg
import trio

from kong_mesh_cp.shell.host.shown import shown
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.postgres import rows
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection, connect
from kong_mesh_cp.shell.store.postgres.failures import store_failure
from kong_mesh_cp.shell.store.postgres.notices import CHANNEL, take_notice

RECONNECT_SECONDS = 1.0
QUIET_SECONDS_MAX = 10.0  # then the server is asked whether it is still there

log = logging.getLogger(__name__)


class Listener:
    """Feeds `feed` until cancelled. While it is deaf, readers hear nothing; then all read anew."""

    def __init__(self, address: PostgresAddress, feed: ChangeFeed) -> None:
        self._address = address
        self._feed = feed
        self._heard: list[str] = []
        self._deaf = False

    async def run(self, *, task_status: trio.TaskStatus[None]) -> NoReturn:
        """Started when it hears. Resource handling: owns its connection."""
        started = False
        while True:
            try:
                connection = await trio.to_thread.run_sync(self._connect)
                with contextlib.closing(connection):
                    await self._catch_up(connection)
                    if not started:
                        started = True
                        task_status.started()
                    await self._listen(connection)
            except psycopg.Error as error:
                self._note_deaf(error)
            await trio.sleep(RECONNECT_SECONDS)

    def _connect(self) -> Connection:
        connection = connect(self._address)
        try:
            connection.add_notify_handler(lambda notice: self._heard.append(notice.payload))
            connection.execute(f"LISTEN {CHANNEL}".encode())
        except psycopg.Error:
            connection.close()
            raise
        return connection

    async def _listen(self, connection: Connection) -> NoReturn:
        """Raises: psycopg.Error when the connection is lost."""
        if self._deaf:
            self._deaf = False
            log.warning("store-heard-again: %s tells of changes again", self._address)
        while True:
            with trio.move_on_after(QUIET_SECONDS_MAX) as quiet:
                await trio.lowlevel.wait_readable(connection.fileno())
            if quiet.cancelled_caught:
                await self._catch_up(connection)
            else:
                self._hear(connection)

    async def _catch_up(self, connection: Connection) -> None:
        """After what was heard meanwhile nothing may be missing; otherwise all is read anew."""
        revision = await trio.to_thread.run_sync(rows.revision, connection)
        self._take_heard()
        if revision != self._feed.revision:
            self._feed.resync(revision)

    def _hear(self, connection: Connection) -> None:
        # After the end of its backend this succeeds once more: it brings the reason. The next
        # call raises, and until then the socket stays readable.
        connection.pgconn.consume_input()
        while (notice := connection.pgconn.notifies()) is not None:
            self._heard.append(notice.extra.decode())
        self._take_heard()

    def _take_heard(self) -> None:
        heard, self._heard = self._heard, []
        for notice in heard:
            try:
                take_notice(self._feed, notice)
            except (ValueError, TypeError):
                # Anybody with an account may say anything on a channel.
                log.warning("store-notice-strange: ignored %s", shown(notice[:80]))

    def _note_deaf(self, error: psycopg.Error) -> None:
        if not self._deaf:
            self._deaf = True
            failure = store_failure(error, self._address)
            log.error("%s: %s. %s", failure.code, failure.message, failure.hint)
