"""The way to the server is encrypted as it was asked for, and to nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress, TlsMode
from kong_mesh_cp.shell.store.postgres.connections import Connections
from support.postgres import PostgresServer

NAME = "localhost"


def self_made(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate that is its own authority, for the DNS name `name`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.crt", directory / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].touch(mode=0o600)
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture
def served(
    postgres: PostgresServer, database: PostgresAddress, tmp_path: Path
) -> Iterator[PostgresAddress]:
    for source, name in zip(self_made(tmp_path, NAME), ["server.crt", "server.key"], strict=True):
        shutil.copy2(source, postgres.data / name)
        postgres.own(postgres.data / name)
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
    right = tmp_path / f"{NAME}.crt"
    wrong, _ = self_made(tmp_path, "wrong")
    assert not await encrypted(served)
    assert await encrypted(replace(served, tls=TlsMode.VERIFY_NONE))
    for mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        assert await encrypted(replace(served, tls=mode, ca_path=right))
        with pytest.raises(StateError, match="certificate verify failed") as failure:
            await encrypted(replace(served, tls=mode, ca_path=wrong))
        assert failure.value.code == "store-unreachable"

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
