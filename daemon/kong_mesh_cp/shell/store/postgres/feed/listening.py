"""Hears on the database's channel that something was changed; comes back when the server does."""

from __future__ import annotations

import contextlib
import logging
from typing import Final, NoReturn

import psycopg
import trio

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection, connect
from kong_mesh_cp.shell.store.postgres.failures import store_failure
from kong_mesh_cp.shell.store.postgres.feed.looking import Lookout
from kong_mesh_cp.shell.store.postgres.feed.notices import CHANNEL, StrangeNoticeError, revision_of
from kong_mesh_cp.shell.store.postgres.secret_key_id import show_presence

RECONNECT_SECONDS: Final = 1.0
QUIET_SECONDS_MAX: Final = 10.0  # then the server is asked whether it is still there

# A session that listens is idle. Servers before version 14 have no such setting.
_STAY = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"

log = logging.getLogger(__name__)


def _ignore(_: psycopg.Notify) -> None:
    """What comes beside an answer: it is asked for only before a look. Else psycopg keeps it."""


class Listener:
    """Calls `lookout` until cancelled. While it is deaf, that one looks at its own beat."""

    def __init__(self, address: PostgresAddress, lookout: Lookout, instance: str) -> None:
        """`instance`: the control plane that the others see as long as it listens."""
        self._address = address
        self._instance = instance
        self._lookout = lookout
        self._deaf = False

    async def run(self, *, task_status: trio.TaskStatus[None]) -> NoReturn:
        """Started when it hears. Resource handling: owns its connection."""
        started = False
        while True:
            try:
                connection = await trio.to_thread.run_sync(self._connect)
                with contextlib.closing(connection):
                    self._lookout.call()  # what was said before is lost
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
            connection.add_notify_handler(_ignore)
            connection.execute(_STAY)
            connection.execute(f"LISTEN {CHANNEL}".encode())
            show_presence(connection, self._instance)
        except psycopg.Error:
            connection.close()
            raise
        return connection

    async def _listen(self, connection: Connection) -> NoReturn:
        """Raises: psycopg.Error when the connection is lost."""
        if self._deaf:
            self._deaf = False
            self._lookout.doubt()
            log.warning("store-heard-again: %s tells of changes again", self._address)
        while True:
            with trio.move_on_after(QUIET_SECONDS_MAX) as quiet:
                await trio.lowlevel.wait_readable(connection.fileno())
            if quiet.cancelled_caught:
                await trio.to_thread.run_sync(connection.execute, "SELECT")
                self._lookout.call()  # what was said just then is not heard
            else:
                self._hear(connection)

    def _hear(self, connection: Connection) -> None:
        # After the end of its backend this succeeds once more: it brings the reason. The next
        # call raises, and until then the socket stays readable.
        connection.pgconn.consume_input()
        # All of it is taken off, however much it is: what is not taken fills the queue of the
        # server, and then no session can commit with a notice.
        while (notice := connection.pgconn.notifies()) is not None:
            if not self._lookout.called:
                self._take(notice.extra)

    def _take(self, notice: bytes) -> None:
        try:
            self._lookout.hear(revision_of(notice))
        except StrangeNoticeError:
            self._lookout.strange.note(trio.current_time())

    def _note_deaf(self, error: psycopg.Error) -> None:
        if not self._deaf:
            self._deaf = True
            failure = store_failure(error, self._address)
            log.error("%s: %s. %s", failure.code, failure.message, failure.hint)
