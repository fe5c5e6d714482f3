"""What is said on the channel of a database is a hint, whoever says it; the table counts."""

from __future__ import annotations

import logging

import psycopg
import pytest
import trio

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection
from kong_mesh_cp.shell.store.postgres.feed import changes, listening, looking
from kong_mesh_cp.shell.store.postgres.feed.notices import CHANNEL
from kong_mesh_cp.usecases.ports.resource_store import Delete, Resync
from support.daemons.postgres import PostgresServer, opened, set_back
from support.fakes.resources import policy, put, take, whole_mesh
from support.storms.forged_notices import FORGED
from support.suites.patience import HANG_SECONDS

NEVER_SECONDS = 1e6


def notify(connection: Connection, notice: str) -> None:
    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, notice))


@pytest.fixture
def no_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is heard makes a store look."""
    monkeypatch.setattr(looking, "BEAT_SECONDS", NEVER_SECONDS)


@pytest.mark.parametrize("notice", FORGED, ids=range(len(FORGED)))
@pytest.mark.usefixtures("no_beat")
async def test_no_notice_ends_or_deafens_a_control_plane(
    database: PostgresAddress, postgres: PostgresServer, notice: str
) -> None:
    async with opened(database) as store, opened(database, "two") as other:
        with store.resources.changes() as feed:
            with postgres.administering(database.database) as connection:
                notify(connection, notice)
            for number in range(3):
                made = await other.resources.apply([put(policy(f"{number}"))])
                assert await take(feed, 1) == list(made.changes)


async def test_without_a_single_notice_the_table_is_read_at_its_beat(
    database: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CHANNEL", "a_channel_on_which_nobody_speaks")
    async with opened(database, "one") as one, opened(database, "two") as two:
        with two.resources.changes() as feed:
            made = await one.resources.apply(whole_mesh("m"))
            assert await take(feed, len(made.changes)) == list(made.changes)


async def test_a_notice_holds_the_revision_and_no_name(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    with postgres.administering(database.database) as anybody:
        anybody.execute(f"LISTEN {CHANNEL}".encode())
        async with opened(database) as store:
            await store.resources.apply(whole_mesh("secret-plans"))
            await store.resources.apply([put(policy("x" * 9000))])
            await store.resources.apply([Delete(key=policy("x" * 9000))])
            heard = [
                notice.payload for notice in anybody.notifies(timeout=HANG_SECONDS, stop_after=3)
            ]
    assert heard == ["5", "6", "7"]


@pytest.mark.usefixtures("no_beat")
async def test_what_an_older_release_changes_is_read_anew_when_it_tells_of_it(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        with (
            store.resources.changes() as feed,
            postgres.administering(database.database) as older,
        ):
            first = await store.resources.apply([put(policy("a"))])
            assert await take(feed, 1) == list(first.changes)
            older.execute("BEGIN")
            older.execute("UPDATE store SET revision = 2")
            notify(older, '[[2,"updated",2,"MeshTimeout","default","a"]]')
            older.execute("COMMIT")
            assert await take(feed, 1) == [Resync(2)]
            made = await store.resources.apply([put(policy("b"))])
            assert await take(feed, 1) == list(made.changes)


async def test_a_store_of_an_older_release_gets_its_table_of_changes(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        await store.resources.apply([put(policy("a"))])
    with postgres.administering(database.database) as connection:
        set_back(connection, 2)
    async with opened(database) as store:
        with store.resources.changes() as feed:
            made = await store.resources.apply([put(policy("b"))])
            assert await take(feed, 1) == list(made.changes)


@pytest.mark.parametrize(
    "broken",
    [
        "DELETE FROM resource_change WHERE revision = 2",
        "UPDATE resource_change SET kind = 'nonsense' WHERE revision = 2",
        "INSERT INTO resource_change SELECT 3, 'deleted', 1, 'Mesh', '', 'm'",
        "UPDATE store SET revision = 9223372036854775806",
        "UPDATE store SET revision = 0",
        "UPDATE store SET revision = -9223372036854775807",
        "DROP TABLE resource_change",
        "ALTER TABLE resource_change RENAME COLUMN kind TO sort",
    ],
)
async def test_a_table_of_changes_that_says_nonsense_is_not_believed(
    database: PostgresAddress, postgres: PostgresServer, broken: str
) -> None:
    async with opened(database) as store:
        with (
            store.resources.changes() as feed,
            postgres.administering(database.database) as connection,
        ):
            first = await store.resources.apply([put(policy("a"))])
            assert await take(feed, 1) == list(first.changes)
            connection.execute("BEGIN")
            connection.execute(
                "INSERT INTO resource_change VALUES (2, 'updated', 2, 'MeshTimeout', 'd', 'a')"
            )
            connection.execute("UPDATE store SET revision = 2")
            connection.execute(broken.encode())
            notify(connection, f"{10**15}")
            connection.execute("COMMIT")
            row = connection.execute("SELECT revision FROM store").fetchone()
            assert row is not None
            item = (await take(feed, 1))[0]
            whole = "INSERT" in broken  # a change beyond the revision is of no moment
            assert isinstance(item, Resync) != whole
            assert item.revision == row[0]


async def test_however_much_is_said_the_table_is_read_at_a_bounded_pace(
    database: PostgresAddress, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    since = changes.since

    def counted(connection: Connection, known: int) -> object:
        nonlocal looks
        looks += 1
        return since(connection, known)

    monkeypatch.setattr(changes, "since", counted)
    async with opened(database):
        began = trio.current_time()
        with postgres.administering(database.database) as forger:
            for number in range(2000):
                await trio.to_thread.run_sync(notify, forger, f"{10**12 + number}")
        lasted = trio.current_time() - began
    assert 1 < looks <= lasted / looking.PACE_SECONDS + 3


async def test_strange_notices_are_logged_once_and_not_repeated(
    database: PostgresAddress, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(database) as store:
        with (
            store.resources.changes() as feed,
            postgres.administering(database.database) as forger,
        ):
            for number in range(100):
                notify(forger, f"canary-{number}\n")
            made = await store.resources.apply([put(policy("a"))])
            assert await take(feed, 1) == list(made.changes)

            def told() -> list[str]:
                return [each for each in caplog.messages if "store-notice-strange: " in each]

            # A look may find the change before its notice, and those before it, are read.
            with trio.fail_after(HANG_SECONDS):
                while not told():
                    await trio.sleep(0.01)
    (line,) = told()
    assert "canary" not in line
    assert "REVOKE CONNECT" in line


async def test_a_server_whose_queue_of_notices_is_full_takes_changes_without_them(
    database: PostgresAddress, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As PostgreSQL refuses the commit then; that it does so once only is left to a sequence."""
    caplog.set_level(logging.WARNING)
    async with opened(database) as store, opened(database, "two") as other:
        with postgres.administering(database.database) as connection:
            connection.execute("CREATE SEQUENCE refused")
            connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF nextval('kong_mesh_cp.refused') = 1 THEN RAISE"
                " 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END IF;"
                " RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE CONSTRAINT TRIGGER full_queue AFTER UPDATE ON store"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
            connection.execute(f"LISTEN {CHANNEL}".encode())
            with other.resources.changes() as feed:
                made = await store.resources.apply([put(policy("a"))])
                assert await take(feed, 1) == list(made.changes)
            told = await store.resources.apply([put(policy("b"))])
            heard = next(iter(connection.notifies(timeout=HANG_SECONDS, stop_after=1)))
    assert heard.payload == f"{told.revision}"


async def test_a_server_that_ends_idle_sessions_leaves_the_listener_alone(
    database: PostgresAddress, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.administering(database.database) as connection:
        try:
            connection.execute("ALTER DATABASE test SET idle_session_timeout = '200ms'")
        except psycopg.errors.UndefinedObject:
            pytest.skip("this PostgreSQL has no idle_session_timeout")
        try:
            async with opened(database) as store, opened(database, "two") as other:
                with store.resources.changes() as feed:
                    for number in range(4):
                        made = await other.resources.apply([put(policy(f"{number}"))])
                        assert await take(feed, 1) == list(made.changes)
                        await trio.sleep(0.3)
        finally:
            connection.execute("ALTER DATABASE test RESET idle_session_timeout")
    assert not [each for each in caplog.messages if "store-unreachable" in each]
