"""Moving from SQLite to PostgreSQL, by the commands of docs/postgresql.md."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually
from support.daemons.kumactl_runs import Ran, User
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import variables

pytestmark = pytest.mark.system

PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"
MESH = (
    b"type: Mesh\nname: payments\n"
    b"mtls: {enabledBackend: ca-1, backends: [{name: ca-1, type: builtin}]}\n"
)
SKIP = "KUMA_DEFAULTS_SKIP_TENANT_RESOURCES"


def command(verb: str) -> list[str]:
    """The words of the page's command, without the program and where its output goes."""
    (line,) = re.findall(
        rf"^(?:\(umask 077; )?(kumactl {verb}[^>#\n]*)",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return shlex.split(line)[1:]


def kumactl(daemon: Daemon, *words: str, stdin: bytes = b"") -> Ran:
    ran = User(daemon.directory, daemon.addresses["api"]).run(*words, stdin=stdin)
    assert ran.status == 0, ran.err
    return ran


def complete(daemon: Daemon) -> None:
    eventually("what a start makes", lambda: secrets(daemon) == 5)


def secrets(daemon: Daemon) -> int:
    items = daemon.api("GET", "/global-secrets").json["items"]
    assert isinstance(items, list)
    return len(items)


def test_resources_and_the_tokens_that_were_issued_move_along(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with Daemon(tmp_path / "old") as old:
        old.start()
        complete(old)
        kumactl(old, "apply", "-f", "-", stdin=MESH)
        token = kumactl(
            old, "generate", "user-token", "--name", "ann", "--group", "mesh-system:admin",
            "--valid-for", "24h",
        ).out.strip()  # fmt: skip
        exported = kumactl(old, *command("export")).out.encode()
        authority = old.api("GET", "/meshes/payments/secrets/payments.ca-builtin-cert-ca-1").json
        old.stop()

    environment = variables(postgres.new_database(), **{SKIP: "true"})
    with Daemon(tmp_path / "new", environment=environment) as new:
        new.start()
        everything = tmp_path / "everything.yaml"
        everything.write_bytes(exported)
        words = [
            os.fspath(everything) if word == everything.name else word for word in command("apply")
        ]
        kumactl(new, *words)
        new.stop()
        del new.environment[SKIP]
        new.start()
        complete(new)

        moved = new.api("GET", "/meshes/payments/secrets/payments.ca-builtin-cert-ca-1").json
        assert moved["data"] == authority["data"]
        from_afar = {"Authorization": f"Bearer {token}", "X-Forwarded-For": "192.0.2.1"}
        assert new.api("GET", "/meshes/payments/secrets", from_afar).status == 200
        with new.seat("backend-1", mesh="payments") as seat:
            assert seat.admitted
