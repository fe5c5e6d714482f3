"""The way to the server is encrypted as it was asked for, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress, TlsMode
from kong_mesh_cp.shell.store.postgres.connections import Connections
from support.daemons.postgres import PostgresServer
from support.daemons.tls_peers import pair

NAME = "localhost"


@pytest.fixture
def served(postgres: PostgresServer, database: PostgresAddress) -> Iterator[PostgresAddress]:
    for file in pair(NAME).write(postgres.data):
        file.chmod(0o600)  # the server takes no key that others can read
        postgres.own(file)
    with postgres.administering() as connection:
        connection.execute("ALTER SYSTEM SET ssl = on")
    postgres.stop("fast")
    postgres.start()
    yield replace(database, host=NAME)
    with postgres.administering() as connection:
        connection.execute("ALTER SYSTEM RESET ssl")
    postgres.stop("fast")
    postgres.start()


async def encrypted(address: PostgresAddress) -> bool:
    used = Connections(address)
    try:
        (answer,) = await used.use(
            lambda c: (
                c.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
                or (None,)
            )
        )
    finally:
        used.close()
    return bool(answer)


async def test_each_mode_encrypts_and_checks_what_it_says(
    served: PostgresAddress, tmp_path: Path
) -> None:
    right, wrong = tmp_path / "right.crt", tmp_path / "wrong.crt"
    right.write_bytes(pair(NAME).certificate)
    wrong.write_bytes(pair("wrong").certificate)
    assert not await encrypted(served)
    assert await encrypted(replace(served, tls=TlsMode.VERIFY_NONE))
    for mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        assert await encrypted(replace(served, tls=mode, ca_path=right))
        with pytest.raises(StateError, match="certificate verify failed") as failure:
            await encrypted(replace(served, tls=mode, ca_path=wrong))
        assert failure.value.code == "store-tls-refused"

    by_number = replace(served, host="127.0.0.1", ca_path=right)
    assert await encrypted(replace(by_number, tls=TlsMode.VERIFY_CA))
    with pytest.raises(StateError, match="does not match host name"):
        await encrypted(replace(by_number, tls=TlsMode.VERIFY_FULL))


async def test_a_server_without_tls_is_not_talked_to_when_it_was_asked_for(
    database: PostgresAddress,
) -> None:
    for mode in (TlsMode.VERIFY_NONE, TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        with pytest.raises(StateError, match="does not support SSL"):
            await encrypted(replace(database, tls=mode, ca_path=Path("/nonexistent/ca")))
