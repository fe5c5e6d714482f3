"""The installed daemon with a PostgreSQL on its machine, set up as the page for operators says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.packages.box import booted
from support.packages.installed import UNIT, Machine
from support.packages.packages import Packages
from support.staging import operations_page

pytestmark = pytest.mark.package

PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"
SHOWN_AT = "/packages"
LIBPQ = "/usr/lib/x86_64-linux-gnu/libpq.so.5*"  # the library and its link, which ldconfig makes
IN_PLACE = (
    "KUMA_STORE_TYPE=postgres",
    "KUMA_STORE_POSTGRES_PORT=5432",
    "KUMA_STORE_POSTGRES_USER=kong_mesh",
    "KUMA_STORE_POSTGRES_DB_NAME=kong_mesh",
)


def script(name: str) -> str:
    return operations_page.script(name, PAGE)


@pytest.fixture
def machine(packages: Packages, database_root: Path) -> Iterator[Machine]:
    """Debian 12 with the package and a running PostgreSQL; the daemon is not started yet."""
    with booted(database_root, binds={packages.folder: SHOWN_AT}) as box:
        machine = Machine(box, SHOWN_AT)
        machine.install()
        box.wait_for(
            "PostgreSQL",
            lambda: box.run("runuser", "-u", "postgres", "--", "psql", "-c", "").status == 0,
        )
        machine.sh(script("postgres-database"))
        machine.sh(script("postgres-password"))
        machine.set_environment(*IN_PLACE)
        yield machine


def test_the_page_sets_up_a_daemon_that_outlives_restarts_of_both(machine: Machine) -> None:
    machine.start()
    machine.said(r"store-opened: PostgreSQL at 127\.0\.0\.1:5432, database kong_mesh, as .*")
    assert machine.join("backend-1")["decision"] == "admitted"

    machine.sh("systemctl restart postgresql")
    machine.box.wait_for(
        "the listener's return",
        lambda: "store-heard-again" in machine.log(),
    )
    assert machine.systemctl("restart").status == 0, machine.log()
    assert "seats-reserved: seats kept for their proxies: 1" in machine.log()
    assert machine.join("backend-1")["decision"] == "admitted"
    assert "Traceback" not in machine.log()
    environment = machine.sh(f"tr '\\0' '\\n' < /proc/{machine.pid}/environ")
    assert not re.search("choose-another-password", environment + machine.log())


def test_a_server_that_starts_late_is_waited_for(machine: Machine) -> None:
    machine.sh("systemctl stop postgresql@15-main")
    machine.sh("systemctl start --no-block kong-mesh-cp")
    machine.box.wait_for("it waits", lambda: "store-awaited" in machine.log())
    assert "waiting for the store" in machine.systemctl("status").stdout
    machine.sh("systemctl start postgresql@15-main")
    machine.box.wait_for("it serves", lambda: machine.active == "active")
    assert machine.restarts == 0


def test_without_libpq_the_start_is_refused_once_and_says_what_to_install(
    machine: Machine,
) -> None:
    machine.sh(f"mv {LIBPQ} /root/; ldconfig")
    assert machine.systemctl("start").status == 1
    assert "apt-get install libpq5" in machine.said("store-client-missing: .*")
    assert machine.box.property(UNIT, "ExecMainStatus") == "78"
    assert machine.restarts == 0


def test_the_socket_of_the_machine_needs_no_password(machine: Machine) -> None:
    machine.sh(script("postgres-peer"))
    machine.set_environment(
        "KUMA_STORE_TYPE=postgres",
        "KUMA_STORE_POSTGRES_HOST=/run/postgresql",
        "KUMA_STORE_POSTGRES_PORT=5432",
        "KUMA_STORE_POSTGRES_USER=kong-mesh-cp",
        "KUMA_STORE_POSTGRES_DB_NAME=kong_mesh",
    )
    machine.start()
    machine.said(r"store-opened: PostgreSQL at /run/postgresql:5432, database kong_mesh, as .*")
