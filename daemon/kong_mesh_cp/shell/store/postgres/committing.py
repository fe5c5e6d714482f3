"""Many tasks' changes in one transaction: one lock, some round trips and one flush for all."""

from __future__ import annotations

from collections.abc import Sequence

import outcome
import psycopg
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.resources.volume import Totals, Volume
from kong_mesh_cp.shell.store.postgres.connections import Connection, Connections, transaction
from kong_mesh_cp.shell.store.postgres.failures import missing
from kong_mesh_cp.shell.store.postgres.feed.changes import record
from kong_mesh_cp.shell.store.postgres.rows import PostgresRows, write_out
from kong_mesh_cp.shell.store.sealed_documents import key_id_of
from kong_mesh_cp.shell.store.staging import Staging
from kong_mesh_cp.usecases.ports.resource_store import Applied, Change, ChangeRefusedError, Put

GROUP_ITEMS_MAX = 256  # transactions of callers in one of the server's
QUEUE_ITEMS_MAX = 1024  # accepted but not committed; further callers wait their turn
# SQLSTATE: data that does not fit, a rule of the table, a full disk, a limit of the program.
_OF_ONE_CHANGE = ("22", "23", "53100", "54")

Changes = Sequence[Change]
Result = outcome.Value[Applied] | outcome.Error


class _Item:
    """Changes on their way, and what became of them."""

    __slots__ = ("changes", "result", "settled")

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.result: Result | None = None
        self.settled = trio.Event()


class Committer:
    """Takes changes while `run` runs."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._send, self._receive = trio.open_memory_channel[_Item](QUEUE_ITEMS_MAX)
        self._ended = trio.Event()

    async def apply(self, changes: Changes) -> Applied:
        """As `ResourceStore.apply`. Raises `store-closed` after `close`."""
        item = _Item(changes)
        try:
            await self._send.send(item)
        except trio.ClosedResourceError:
            raise StateError(
                "the store is closed: this process is ending",
                code="store-closed",
                hint="Ask again when it has been started again.",
            ) from None
        await item.settled.wait()
        if item.result is None:
            raise AssertionError("an item is settled only with a result")
        return item.result.unwrap()

    async def run(self) -> None:
        """Commit until `close`, and then what was accepted. Being cancelled changes nothing."""
        with trio.CancelScope(shield=True):
            async for first in self._receive:
                batch = [first]
                while len(batch) < GROUP_ITEMS_MAX:
                    try:
                        batch.append(self._receive.receive_nowait())
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                await self._settle(batch)
                for item in batch:
                    item.settled.set()
        self._ended.set()

    async def close(self) -> None:
        self._send.close()
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    async def _settle(self, batch: Sequence[_Item]) -> None:
        asked = [item.changes for item in batch]
        try:
            results = await self._connections.use(lambda c: commit_group(c, asked))
        except StateError as error:
            if len(batch) == 1 or not _of_one_change(error):
                for item in batch:
                    item.result = outcome.Error(_copied(error))
                return
            # One that does not fit must not keep out the others.
            for item in batch:
                await self._settle([item])
            return
        for item, result in zip(batch, results, strict=True):
            item.result = result


def commit_group(connection: Connection, group: Sequence[Changes]) -> Sequence[Result]:
    """Those of `group` that fit what is stored, in order, in one transaction."""
    try:
        return transaction(connection, lambda c: _make(c, group, tell=True))
    except psycopg.errors.ProgramLimitExceeded:
        # The server keeps notices for all databases in one queue, and any session can fill it.
        # Without a notice the others look a moment later. Whatever else was too much is so again.
        connection.execute("ROLLBACK")
        return transaction(connection, lambda c: _make(c, group, tell=False))


def _make(connection: Connection, group: Sequence[Changes], *, tell: bool) -> Sequence[Result]:
    # This row is the one lock of all who write: what is decided below holds until the commit, and
    # a revision becomes visible only after all that are lower.
    row = connection.execute(
        "SELECT revision, dataplane_items, dataplane_bytes, other_items, other_bytes,"
        " secret_key_id FROM store FOR UPDATE"
    ).fetchone()
    if row is None:
        raise missing("store")
    keys = {
        key
        for changes in group
        for change in changes
        for key in (change.key, change.owner if isinstance(change, Put) else None)
        if key is not None
    }
    staging = Staging(
        PostgresRows(connection, keys), row[0], Totals(Volume(*row[1:3]), Volume(*row[3:5]))
    )
    results = [_stage(staging, changes, row[5]) for changes in group]
    made = [
        change
        for result in results
        if isinstance(result, outcome.Value)
        for change in result.value.changes
    ]
    if made:
        write_out(connection, staging)
        record(connection, staging.revision, made, staging.totals, tell=tell)
    return results


def _stage(staging: Staging, changes: Changes, key_id: str | None) -> Result:
    """`key_id`: of the key that seals in this database; None: none is agreed on."""
    for change in changes:
        other = key_id_of(change)
        if key_id is not None and other not in {"", key_id}:
            return outcome.Error(_sealed_with_another(other, key_id))
    try:
        return outcome.Value(staging.stage(changes))
    except ChangeRefusedError as error:
        return outcome.Error(error)


def _sealed_with_another(other: str, key_id: str) -> StateError:
    # No secret may be sealed with a key on its way out: it would be lost with the key.
    return StateError(
        f"this control plane seals secrets with the key {other}, and by now this database is sealed"
        f" with {key_id}",
        code="secret-key-changed",
        hint="Copy secret-key from the control plane that rotated it, and restart this one.",
    )


def _of_one_change(error: StateError) -> bool:
    """Whether the others may fare better without it. Not so when the server is busy or going."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith(_OF_ONE_CHANGE)


def _copied(error: StateError) -> StateError:
    """Each caller raises its own: a traceback belongs to one."""
    copied = StateError(error.message, code=error.code, hint=error.hint)
    copied.__cause__ = error
    return copied
