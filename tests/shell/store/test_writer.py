"""Group commit: many changes, one transaction, and each with its own fate."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.writer import GROUP_ITEMS_MAX, QUEUE_ITEMS_MAX, Writer


class Notebook:
    """A writer over one table of numbers, whose thread can be held up, and its statements."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.connection.execute("CREATE TABLE numbers (n INTEGER UNIQUE)")
        self.statements: list[str] = []
        self.connection.set_trace_callback(self.statements.append)
        self.writer = Writer(self.connection, contextlib.nullcontext())
        self._held = threading.Event()
        self._released = threading.Event()

    async def hold(self, nursery: trio.Nursery) -> None:
        """Keep the writer thread busy with one change until `release`."""
        nursery.start_soon(self.writer.write, self._wait)
        await trio.to_thread.run_sync(self._held.wait)

    def _wait(self, _connection: sqlite3.Connection) -> None:
        self._held.set()
        self._released.wait()

    def release(self) -> None:
        self._released.set()

    async def numbers(self) -> list[int]:
        return await self.writer.write(
            lambda c: [n for (n,) in c.execute("SELECT n FROM numbers ORDER BY n")]
        )

    @property
    def commits(self) -> int:
        return self.statements.count("COMMIT")


@asynccontextmanager
async def notebook() -> AsyncIterator[Notebook]:
    book = Notebook()
    try:
        yield book
    finally:
        book.release()
        await book.writer.close()


def add(number: int) -> Callable[[sqlite3.Connection], int]:
    def change(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    return change


async def test_a_change_gives_its_result_when_it_is_committed() -> None:
    async with notebook() as book:
        assert await book.writer.write(add(7)) == 7
        assert not book.connection.in_transaction
        assert await book.numbers() == [7]


async def test_changes_that_wait_together_are_committed_together() -> None:
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            for n in range(GROUP_ITEMS_MAX):
                nursery.start_soon(book.writer.write, add(n))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert book.commits == 2  # the change that held the thread, and all the others
        assert await book.numbers() == list(range(GROUP_ITEMS_MAX))


async def test_a_transaction_takes_no_more_changes_than_its_limit() -> None:
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            for n in range(GROUP_ITEMS_MAX + 1):
                nursery.start_soon(book.writer.write, add(n))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert book.commits == 3


async def test_changes_are_made_in_the_order_in_which_they_were_asked_for() -> None:
    seen: list[int] = []
    async with notebook() as book, trio.open_nursery() as nursery:
        await book.hold(nursery)
        for n in range(5):
            nursery.start_soon(book.writer.write, lambda _c, n=n: seen.append(n))
            await trio.testing.wait_all_tasks_blocked()
        book.release()

    assert seen == [0, 1, 2, 3, 4]


async def test_a_failing_change_is_undone_whole_and_leaves_its_neighbours_alone() -> None:
    def add_two_and_stumble(connection: sqlite3.Connection) -> None:
        add(100)(connection)
        add(101)(connection)
        raise LookupError("stumbled")

    fates: dict[str, object] = {}

    async def ask(
        book: Notebook, name: str, change: Callable[[sqlite3.Connection], object]
    ) -> None:
        try:
            fates[name] = await book.writer.write(change)
        except (LookupError, sqlite3.IntegrityError) as error:
            fates[name] = type(error)

    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            nursery.start_soon(ask, book, "before", add(1))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, book, "stumbles", add_two_and_stumble)
            nursery.start_soon(ask, book, "twice", lambda c: (add(2)(c), add(2)(c)))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask, book, "after", add(3))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert book.commits == 2
        assert fates == {
            "before": 1,
            "stumbles": LookupError,
            "twice": sqlite3.IntegrityError,
            "after": 3,
        }
        assert await book.numbers() == [1, 3]


async def test_a_change_that_ends_the_whole_transaction_takes_no_other_with_it() -> None:
    def break_transaction(connection: sqlite3.Connection) -> None:
        add(100)(connection)
        # What SQLite does by itself on a full disk or an I/O error.
        connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (100)")

    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            for n in range(3):
                nursery.start_soon(book.writer.write, add(n))
            nursery.start_soon(expect_integrity_error, book, break_transaction)
            for n in range(3, 6):
                nursery.start_soon(book.writer.write, add(n))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert await book.numbers() == [0, 1, 2, 3, 4, 5]


async def expect_integrity_error(
    book: Notebook, change: Callable[[sqlite3.Connection], object]
) -> None:
    # The cause, not "no such savepoint", which is what comes after it.
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        await book.writer.write(change)


async def test_a_change_that_fails_only_at_commit_takes_no_other_with_it() -> None:
    """SQLite then leaves the transaction open: somebody has to roll it back."""

    async with notebook() as book:
        book.connection.execute("PRAGMA foreign_keys = ON")
        book.connection.execute(
            "CREATE TABLE notes (n REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)"
        )

        async def add_orphan() -> None:
            with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
                await book.writer.write(lambda c: c.execute("INSERT INTO notes VALUES (404)"))

        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            nursery.start_soon(book.writer.write, add(1))
            nursery.start_soon(add_orphan)
            nursery.start_soon(book.writer.write, add(2))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert await book.numbers() == [1, 2]
        assert await book.writer.write(lambda c: c.execute("SELECT * FROM notes").fetchall()) == []


async def test_a_cancelled_waiter_does_not_take_its_change_back() -> None:
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_when_blocked, scope)
                await book.writer.write(lambda c: (add(1)(c), add(2)(c)))
            assert scope.cancelled_caught
            book.release()

        assert await book.numbers() == [1, 2]


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_a_full_queue_makes_callers_wait_and_a_cancelled_one_changes_nothing() -> None:
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            for n in range(QUEUE_ITEMS_MAX - 1):  # the change that holds the thread is the first
                nursery.start_soon(book.writer.write, add(n))
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_when_blocked, scope)
                await book.writer.write(add(-1))
            assert scope.cancelled_caught
            nursery.start_soon(book.writer.write, add(QUEUE_ITEMS_MAX))
            await trio.testing.wait_all_tasks_blocked()
            book.release()

        assert await book.numbers() == [*range(QUEUE_ITEMS_MAX - 1), QUEUE_ITEMS_MAX]


async def test_closing_finishes_what_was_accepted_and_refuses_what_comes_later() -> None:
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            await book.hold(nursery)
            for n in range(GROUP_ITEMS_MAX * 2):
                nursery.start_soon(book.writer.write, add(n))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(book.writer.close)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(StateError) as refusal:
                await book.writer.write(add(-1))
            assert refusal.value.code == "store-closed"
            book.release()

        inserted = [text for text in book.statements if text.startswith("INSERT")]
        assert len(inserted) == GROUP_ITEMS_MAX * 2
        assert book.statements[-1] == "COMMIT"


async def test_closing_under_cancellation_still_finishes_and_ends_the_thread() -> None:
    before = threading.active_count()
    async with notebook() as book:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(book.writer.write, add(1))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            await book.writer.close()

        assert book.statements[-1] == "COMMIT"
        assert "store-writer" not in [thread.name for thread in threading.enumerate()]
        assert threading.active_count() <= before + 1  # trio may keep an idle thread of its own


async def test_closing_twice_is_closing_once() -> None:
    async with notebook() as book:
        await book.writer.close()
        await book.writer.close()


async def test_a_turn_is_taken_around_each_transaction() -> None:
    turn = threading.Lock()
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    writer = Writer(connection, turn)
    try:
        assert await writer.write(lambda _c: turn.locked())
        assert not turn.locked()
    finally:
        await writer.close()
