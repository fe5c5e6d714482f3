"""Servers that go, networks that cut or say nothing, disks that fill: told, whole, and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import pytest
import trio

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres import connections
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connections
from kong_mesh_cp.shell.store.postgres.feed import looking
from kong_mesh_cp.shell.store.postgres.store import PostgresStore
from kong_mesh_cp.usecases.ports.resource_store import FeedItem, Resync
from support.daemons.postgres import PASSWORD, PostgresServer, opened
from support.daemons.tcp_proxies import BadNetwork
from support.fakes.resources import mesh, names, policy, put, take, take_from, whole_mesh
from support.fakes.stores import taken
from support.suites.patience import HANG_SECONDS

T = TypeVar("T")


def end_backends(server: PostgresServer) -> None:
    with server.administering() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = 'test' AND application_name = 'kong-mesh-cp'"
        )


async def resync_of(feed: AsyncIterator[FeedItem]) -> Resync:
    while True:
        (item,) = await take(feed, 1)
        if isinstance(item, Resync):
            return item


@asynccontextmanager
async def behind(
    database: PostgresAddress,
) -> AsyncIterator[tuple[BadNetwork, PostgresStore, PostgresStore]]:
    """A store behind a network, and one with a way of its own."""
    async with BadNetwork.between(database.port) as network:
        far = replace(database, port=network.port)
        async with opened(far, "far") as store, opened(database, "near") as near:
            yield network, store, near


async def test_connections_that_were_ended_are_made_anew_unnoticed(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        async with trio.open_nursery() as nursery:  # several connections become idle
            for number in range(20):
                nursery.start_soon(store.resources.get, policy(f"{number}"))
        for number in range(3):
            end_backends(postgres)
            await store.resources.apply([put(policy(f"{number}"))])
            end_backends(postgres)
            assert len(await names(store.resources)) == number + 1
            end_backends(postgres)
            await store.apply_seats(taken("a"))


async def test_a_listener_that_was_cut_comes_back_and_has_its_readers_read_anew(
    database: PostgresAddress,
) -> None:
    async with behind(database) as (network, store, near):
        with store.resources.changes() as feed:
            network.refusing = True
            network.cut()
            made = await near.resources.apply([put(policy("a"))])
            network.refusing = False

            assert await resync_of(feed) == Resync(made.revision)
            made = await near.resources.apply([put(policy("b"))])
            assert await take(feed, 1) == list(made.changes)


async def test_a_server_that_is_gone_is_reported_and_taken_again_when_it_is_back(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    async with opened(database) as store:
        await store.resources.apply([put(policy("a"))])
        with store.resources.changes() as feed:
            postgres.stop("immediate")
            try:
                for call in (
                    lambda: store.resources.get(policy("a")),
                    lambda: store.resources.apply([put(policy("b"))]),
                    lambda: store.apply_seats(taken("a")),
                    store.slots.renew,
                ):
                    with pytest.raises(StateError) as failure:
                        await call()
                    assert failure.value.code == "store-unreachable"
                    assert PASSWORD not in failure.value.line
            finally:
                postgres.start()

            await store.resources.apply([put(policy("c"))])
            assert await names(store.resources) == ["a", "c"]
            # Whether the listener was back before that change was made is left to chance.
            (item,) = await take_from(feed, 2, 2)
            assert isinstance(item, Resync) or item.key == policy("c")


@pytest.mark.parametrize("word", [b"BEGIN", b"FOR UPDATE", b"INSERT INTO resource", b"pg_notify"])
@pytest.mark.parametrize("side", ["cut_before", "cut_after"])
async def test_a_connection_that_is_cut_before_the_commit_costs_nothing(
    database: PostgresAddress, word: bytes, side: str
) -> None:
    async with behind(database) as (network, store, near):
        await store.resources.apply([put(mesh("first"))])
        setattr(network, side, word)
        await store.resources.apply(whole_mesh("m"))

        assert network.cuts == 1
        assert await near.resources.revision() == 6
        assert len(await names(near.resources)) == 3


@pytest.mark.parametrize("side", ["cut_before", "cut_after"])
async def test_a_connection_that_is_cut_in_the_commit_leaves_the_whole_or_nothing_and_says_so(
    database: PostgresAddress, side: str
) -> None:
    async with behind(database) as (network, store, near):
        setattr(network, side, b"COMMIT")
        with pytest.raises(StateError) as failure:
            await store.resources.apply(whole_mesh("m"))

        assert failure.value.code == "store-outcome-unknown"
        made = side == "cut_after"
        assert await near.resources.revision() == (5 if made else 0)
        assert len(await names(near.resources)) == (3 if made else 0)
        # The next one is not harmed.
        await store.resources.apply([put(policy("next"))])
        assert await store.resources.revision() == (6 if made else 1)


async def test_a_server_that_says_nothing_is_not_awaited_for_ever(
    database: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(database) as (network, store, near):
        await store.resources.apply([put(policy("a"))])
        network.silent = True
        with monkeypatch.context() as patient:
            patient.setattr(connections, "ANSWER_SECONDS_MAX", 0.2)
            for call in (
                lambda: store.resources.get(policy("a")),
                lambda: store.resources.apply([put(policy("b"))]),
            ):
                network.refusing = True
                with pytest.raises(StateError) as failure:
                    await call()
                assert failure.value.code == "store-unreachable"
        network.silent = network.refusing = False

        await store.resources.apply([put(policy("c"))])
        assert await names(near.resources) == ["a", "c"]


async def test_a_server_that_says_nothing_counts_as_away_until_it_speaks_again(
    database: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(database) as (network, store, _):
        assert store.failure() is None
        with monkeypatch.context() as patient:
            patient.setattr(looking, "ANSWER_SECONDS_MAX", 0.1)
            patient.setattr(connections, "ANSWER_SECONDS_MAX", 0.5)
            network.silent = network.refusing = True
            failure = await until(store.failure)
            assert failure.code == "store-unreachable"
        network.silent = network.refusing = False

        await until(lambda: store.failure() is None or None)


async def until(look: Callable[[], T | None]) -> T:
    """What `look` finds, as soon as it finds anything."""
    with trio.fail_after(HANG_SECONDS):
        while (found := look()) is None:
            await trio.sleep(0.01)
    return found


async def test_one_change_that_the_server_refuses_keeps_out_no_other(
    database: PostgresAddress, postgres: PostgresServer
) -> None:
    failures: list[str] = []

    async def apply(store: PostgresStore, name: str) -> None:
        try:
            await store.resources.apply([put(policy(name))])
        except StateError as error:
            failures.append(error.code)

    async with opened(database) as store:
        with postgres.administering(database.database) as connection:
            connection.execute("ALTER TABLE resource ADD CHECK (name <> 'bad')")
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(apply, store, f"{number:02}")
            nursery.start_soon(apply, store, "bad")

        assert failures == ["store-failed"]
        assert len(await names(store.resources)) == 20


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "state-full"),
        ("53300", "store-busy"),
        ("55P03", "store-busy"),
        ("40001", "store-busy"),
        ("40P01", "store-busy"),
        ("57014", "store-timeout"),
        ("57P01", "store-unreachable"),
        ("25006", "store-readonly"),
        ("42501", "store-denied"),
        ("58030", "state-io"),
        ("XX001", "store-corrupt"),
        ("22003", "store-failed"),
    ],
)
async def test_what_the_server_refuses_has_a_code(
    database: PostgresAddress, state: str, code: str
) -> None:
    used = Connections(database)
    refuse = f"DO $$ BEGIN RAISE 'no\nway' USING ERRCODE = '{state}'; END $$".encode()
    try:
        with pytest.raises(StateError) as failure:
            await used.use(lambda c: c.execute(refuse))
        assert failure.value.code == code
        assert "\n" not in failure.value.line
        assert str(database) in failure.value.line
    finally:
        used.close()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"password": "wrong-but-secret"}, "store-login-refused"),
        ({"database": "no\nsuch"}, "store-no-database"),
        ({"user": "nobody-known"}, "store-login-refused"),
        ({"host": "host.invalid"}, "store-unreachable"),
        ({"port": 1}, "store-unreachable"),
    ],
    ids=str,
)
async def test_a_start_with_a_wrong_address_says_so_without_the_password(
    database: PostgresAddress, wrong: dict[str, object], code: str
) -> None:
    address = replace(database, **wrong)  # type: ignore[arg-type]
    with pytest.RaisesGroup(StateError) as failures:
        async with opened(address):
            raise AssertionError
    (failure,) = failures.value.exceptions
    assert isinstance(failure, StateError)
    assert failure.code == code
    assert "\n" not in failure.line
    assert address.password not in failure.line
    assert address.password not in repr(address)


async def test_a_database_that_cannot_hold_every_name_is_refused(
    postgres: PostgresServer,
) -> None:
    with postgres.administering() as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    try:
        with pytest.RaisesGroup(pytest.RaisesExc(StateError, match="as LATIN1, not as UTF8")):
            async with opened(postgres.address("latin")):
                raise AssertionError
    finally:
        with postgres.administering() as connection:
            connection.execute("DROP DATABASE latin WITH (FORCE)")


async def test_after_its_end_a_store_takes_nothing(database: PostgresAddress) -> None:
    async with opened(database) as store:
        pass
    with pytest.raises(StateError) as failure:
        await store.resources.apply([put(policy("a"))])
    assert failure.value.code == "store-closed"
