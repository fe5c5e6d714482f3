"""State that cannot be kept: told clearly at a start, survived while running."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.fakes.disks import fill, small_disk
from support.fakes.users import needs_root
from support.licenses.licenses import keyring_json, license_document

pytestmark = pytest.mark.system

EX_CANTCREAT = 73
DISK_KIB = 1024
LONG = "x" * 200  # names that fill pages quickly
SEATS_MAX = 2000  # far more than what is left of the disk's last page holds
FAILURES = "kong_mesh_store_failures_total"
PENDING = "kong_mesh_store_pending_changes"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_KIB) as directory:
        yield directory


def _licensed(directory: Path, dataplanes: int) -> tuple[tuple[str, str], dict[str, str]]:
    (directory / "keyring.json").write_bytes(keyring_json())
    (directory / "license.json").write_bytes(license_document(dataplanes=dataplanes))
    flags = ("--license-keyring", str(directory / "keyring.json"))
    return flags, {"KMESH_LICENSE_PATH": str(directory / "license.json")}


def _codes(daemon: Daemon) -> list[str]:
    """The codes of the log's lines, in order."""
    lines = [line.split(maxsplit=3) for line in daemon.stderr.splitlines()]
    return [fields[2].removesuffix(":") for fields in lines if len(fields) > 2]


def test_under_an_issued_license_admissions_go_on_while_the_disk_is_full(
    tmp_path: Path, disk: Path
) -> None:
    flags, environment = _licensed(tmp_path, SEATS_MAX * 2)
    environment["KUMA_GENERAL_WORK_DIR"] = str(disk / "state")
    with ExitStack() as seats, running(tmp_path / "d", *flags, environment=environment) as daemon:
        assert daemon.metric(FAILURES) == 0
        ballast = fill(disk)
        for number in range(SEATS_MAX):
            if daemon.metric(FAILURES):
                break
            assert seats.enter_context(daemon.seat(f"proxy-{number}-{LONG}")).admitted
        assert daemon.metric(FAILURES) >= 1
        assert daemon.metric(PENDING) >= 1

        def told() -> bool:
            return daemon.status_text.startswith("NOT KEPT: seats-not-recorded; ")

        eventually("systemd hears of it", told)

        # Nothing of it reaches those who ask.
        for number in range(20):
            assert seats.enter_context(daemon.seat(f"later-{number}")).admitted
        assert daemon.diagnostics("/ready").status == 200
        assert daemon.api("GET", "/license").status == 200

        ballast.unlink()
        eventually("everything is recorded", lambda: daemon.metric(PENDING) == 0)
        eventually("it is said", lambda: "seats-recorded-again" in _codes(daemon))
        eventually("systemd hears of it", lambda: not told())
        codes = _codes(daemon)
        assert codes.count("seats-not-recorded") == 1, "said once, not at each attempt"
        assert codes.index("seats-not-recorded") < codes.index("seats-recorded-again")
        assert f"df -h {disk}" in daemon.stderr, "the remedy names the place"
        assert daemon.stop() == 0


def test_under_the_bundled_license_admissions_go_on_and_the_limit_holds(
    tmp_path: Path, disk: Path
) -> None:
    environment = {"KUMA_GENERAL_WORK_DIR": str(disk / "state")}
    with running(tmp_path / "d", environment=environment) as daemon:
        ballast = fill(disk)
        # What is left of the last page takes some rounds: five seats at a time, given back again.
        for number in range(SEATS_MAX):
            with daemon.seat(f"proxy-{number}-{LONG}") as seat:
                assert seat.admitted
                if daemon.metric(FAILURES):
                    break
        assert daemon.metric(FAILURES) >= 1

        with ExitStack() as seats:
            for number in range(5):
                assert seats.enter_context(daemon.seat(f"held-{number}")).admitted
            refused = daemon.seat("one-too-many")
            assert (refused.status, refused.first["code"]) == (403, "license-limit")

            ballast.unlink()
            eventually("everything is recorded", lambda: daemon.metric(PENDING) == 0)
            eventually("it is said", lambda: "seats-recorded-again" in _codes(daemon))
            daemon.stop()
        assert _codes(daemon).count("seats-not-recorded") == 1

        daemon.start()
        assert not daemon.seat("stranger").admitted, "what was held when room came is remembered"
        with daemon.seat("held-3") as back:
            assert back.admitted


def test_a_stop_while_the_disk_is_full_is_still_a_stop(tmp_path: Path, disk: Path) -> None:
    environment = {"KUMA_GENERAL_WORK_DIR": str(disk / "state")}
    with running(tmp_path / "d", environment=environment) as daemon:
        ballast = fill(disk)
        seat = daemon.seat("backend-1")
        assert daemon.stop() == 0
        seat.leave()
        assert "Traceback" not in daemon.stderr

        ballast.unlink()
        with daemon.start().seat("backend-1") as again:
            assert again.admitted


def test_a_start_on_a_full_disk_is_refused_naming_it(tmp_path: Path, disk: Path) -> None:
    fill(disk)
    daemon = Daemon(tmp_path / "d", environment={"KUMA_GENERAL_WORK_DIR": str(disk / "state")})
    with daemon.launch():
        assert daemon.exit_status() == EX_CANTCREAT

    last = daemon.stderr.splitlines()[-1]
    assert last.startswith(f"kong-mesh-cp: state-full: no space is left for {disk}/state")
    assert f"df -h {disk}" in last
    assert "Traceback" not in daemon.stderr
    assert not daemon.socket.exists()


@needs_root
def test_an_unwritable_state_directory_is_refused_naming_owner_and_remedy(tmp_path: Path) -> None:
    # Even root may not write there: the file system is mounted read-only.
    with small_disk(tmp_path / "disk", DISK_KIB) as place:
        (place / "state").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        environment = {"KUMA_GENERAL_WORK_DIR": str(place / "state")}
        daemon = Daemon(tmp_path / "d", environment=environment)
        with daemon.launch():
            assert daemon.exit_status() == EX_CANTCREAT

    last = daemon.stderr.splitlines()[-1]
    assert last.startswith(f"kong-mesh-cp: state-unwritable: {place}/state")
    assert "KUMA_GENERAL_WORK_DIR" in last
    assert "Traceback" not in daemon.stderr
    assert not daemon.socket.exists()


def test_a_file_where_the_state_directory_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    environment = {"KUMA_GENERAL_WORK_DIR": str(tmp_path / "file")}
    daemon = Daemon(tmp_path / "d", environment=environment)
    with daemon.launch():
        assert daemon.exit_status() == EX_CANTCREAT

    assert daemon.stderr.splitlines()[-1].startswith("kong-mesh-cp: state-")
    assert "Traceback" not in daemon.stderr
    assert (tmp_path / "file").read_text() == "not a directory"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda content: b"\xde\xad" * (len(content) // 2),
    "torn": lambda content: content[: len(content) // 2],
    "another program": lambda content: content[:68] + b"\0\0\0\1" + content[72:],
    "text": lambda _content: b"this is no database\n" * 100,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    with running(tmp_path) as daemon:
        with daemon.seat("backend-1"):
            daemon.stop()
        store = daemon.state / "store.db"
        damaged = DAMAGES[damage](store.read_bytes())
        store.write_bytes(damaged)
        daemon.launch()
        assert daemon.exit_status() == EX_CANTCREAT

        last = daemon.stderr.splitlines()[-1]
        assert last.startswith(("kong-mesh-cp: store-corrupt: ", "kong-mesh-cp: store-foreign: "))
        assert str(store) in last
        assert "Traceback" not in daemon.stderr
        assert store.read_bytes() == damaged

        # The remedy that the line names, and what it promises: the trial does not start over.
        stamp = (daemon.state / "trial.json").read_bytes()
        store.rename(tmp_path / "moved-away.db")
        daemon.start()
        assert (daemon.state / "trial.json").read_bytes() == stamp
        with daemon.seat("backend-2") as seat:
            assert seat.admitted
