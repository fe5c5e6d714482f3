"""A connection pooler where a server belongs: said at once, in each of its modes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kong_mesh_cp.core.errors import EX_CONFIG, StateError
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.failures import PASSING
from kong_mesh_cp.shell.store.postgres.migrating import migrate_postgres
from kong_mesh_cp.shell.store.postgres.peek import peek_postgres
from support.daemons.poolers import pooled

IGNORING = "ignore_startup_parameters = options,extra_float_digits"


@pytest.mark.parametrize("mode", ["session", "transaction", "statement"])
@pytest.mark.parametrize("settings", [(), (IGNORING,)], ids=["strict", "ignoring"])
@pytest.mark.parametrize("made", [False, True], ids=["empty", "made"])
def test_a_pooler_is_recognised_and_the_remedy_named(
    database: PostgresAddress, mode: str, settings: tuple[str, ...], made: bool
) -> None:
    if made:
        migrate_postgres(database)
    with pooled(database, mode, *settings) as address:
        for ask in (lambda: peek_postgres(address, None), lambda: migrate_postgres(address)):
            with pytest.raises(StateError) as failure:
                ask()
            assert (failure.value.code, failure.value.exit_status) == ("store-pooled", EX_CONFIG)
            assert failure.value.code not in PASSING, "it is not waited for"
            assert "is a connection pooler, such as PgBouncer" in failure.value.message
            assert failure.value.hint.startswith("Connect to PostgreSQL itself: ")
            assert address.password not in failure.value.line


def test_a_pooler_with_no_server_behind_it_is_named_all_the_same(database: PostgresAddress) -> None:
    with (
        pooled(
            replace(database, port=1), "transaction", IGNORING, "query_wait_timeout = 1"
        ) as address,
        pytest.raises(StateError) as failure,
    ):
        peek_postgres(address, None)
    assert failure.value.code == "store-pooled"
