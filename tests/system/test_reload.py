"""A renewed license is in force without a restart, however it arrives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.licenses.licenses import keyring_json, license_document
from support.storms.hanging_files import hanging

pytestmark = pytest.mark.system

OLD = license_document(dataplanes=2, expires="2032-11-09")
NEW = license_document(dataplanes=20, expires="2033-01-01")


@contextmanager
def licensed(directory: Path, document: bytes = OLD) -> Iterator[tuple[Daemon, Path]]:
    """A daemon whose license is the file `live/license.json`."""
    keyring = directory / "keyring.json"
    keyring.write_bytes(keyring_json())
    path = directory / "live" / "license.json"
    path.parent.mkdir()
    path.write_bytes(document)
    environment = {"KMESH_LICENSE_PATH": str(path)}
    with running(
        directory / "d", "--license-keyring", str(keyring), environment=environment
    ) as daemon:
        yield daemon, path


def _allowed(daemon: Daemon) -> object:
    return daemon.api("GET", "/license").json["allowedDataplaneProxies"]


def _rename_over(path: Path, document: bytes) -> None:
    new = path.with_name("new.json")
    new.write_bytes(document)
    new.rename(path)


def _swap_symlink(path: Path, document: bytes) -> None:
    target = path.with_name(f"version-{document.count(b'2033')}.json")
    target.write_bytes(document)
    link = path.with_name("link")
    link.symlink_to(target.name)
    link.rename(path)


def _write_in_place(path: Path, document: bytes) -> None:
    path.write_bytes(document)


@pytest.mark.parametrize("change", [_rename_over, _write_in_place, _swap_symlink])
def test_a_changed_file_is_in_force_by_itself(
    tmp_path: Path, change: Callable[[Path, bytes], None]
) -> None:
    with licensed(tmp_path) as (daemon, path):
        change(path, NEW)
        eventually("the new license is in force", lambda: _allowed(daemon) == 20)
        difference = "dataplanes 2 → 20, expires 2032-11-09 → 2033-01-01"
        eventually("the log tells the difference", lambda: difference in daemon.stderr)


def test_a_signal_reloads_and_the_service_manager_sees_it(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path):
        path.unlink()
        path.write_bytes(NEW)
        daemon.send_signal(signal.SIGHUP)
        eventually("reloading is announced", lambda: "RELOADING=1" in daemon.notifications)
        eventually("ready again", lambda: daemon.notifications.count("READY=1") == 2)
        assert any(line.startswith("MONOTONIC_USEC=") for line in daemon.notifications)
        assert _allowed(daemon) == 20


def test_a_reload_that_hangs_on_a_dead_mount_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path), hanging(path) as hangs:
        daemon.send_signal(signal.SIGHUP)
        hangs()
        daemon.send_signal(signal.SIGHUP)  # it waits for the first
        assert daemon.stop(signal.SIGTERM) == 0
        assert "stopping: SIGTERM" in daemon.stderr


def test_the_api_reloads_and_answers_what_changed(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path):
        _write_in_place(path, NEW)
        answer = daemon.api("POST", "/license/reload")
        assert answer.status == 200
        assert answer.json["result"] in {"applied", "unchanged"}, "the watch may have been first"
        assert _allowed(daemon) == 20
        assert daemon.api("POST", "/license/reload").json["result"] == "unchanged"


def test_the_command_reloads_over_the_admission_socket(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path):
        _rename_over(path, NEW)
        done = _reload_command(daemon)
        assert done.returncode == 0
        assert done.stdout.split(":")[0].strip() in {"applied", "unchanged"}
        path.write_bytes(b"{}")
        done = _reload_command(daemon)
        assert done.returncode != 0
        assert done.stderr.startswith("kong-mesh-cp: license-malformed: ")


def _reload_command(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kong_mesh_cp", "reload", "--socket", os.fspath(daemon.socket)],
        env={"PATH": os.environ["PATH"], "HOME": os.fspath(daemon.directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unusable_file_never_displaces_the_license_in_force(tmp_path: Path) -> None:
    with licensed(tmp_path) as (daemon, path):
        for unusable in (b"", b"{", NEW[:-20], license_document(expires="2023-01-01")):
            _rename_over(path, unusable)
            assert daemon.api("POST", "/license/reload").status == 409
            assert _allowed(daemon) == 2
            view = daemon.api("GET", "/license?view=full").json
            assert view["restartSafe"] is False
            assert view["pendingError"] is not None
        _rename_over(path, NEW)
        assert daemon.api("POST", "/license/reload").status == 200
        view = daemon.api("GET", "/license?view=full").json
        assert (view["restartSafe"], view["pendingError"]) == (True, None)


def test_a_smaller_license_unseats_nobody_and_says_what_it_means(tmp_path: Path) -> None:
    with licensed(tmp_path, NEW) as (daemon, path):
        seats = [daemon.seat(f"proxy-{n}") for n in range(5)]
        _rename_over(path, OLD)
        eventually("the smaller license is in force", lambda: _allowed(daemon) == 2)
        assert daemon.api("GET", "/license").json["activeDataplaneProxies"] == 5
        eventually("the log says so", lambda: "license-reduced" in daemon.stderr)
        with daemon.seat("one-more") as seat:
            assert seat.admitted, "an issued license admits and warns"
        for held in seats:
            assert held.next_event()["event"] in {"license-changed", "license-warning"}
            held.leave()


def test_an_issued_license_replaces_the_pre_bundled_one_without_a_restart(tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.json"
    keyring.write_bytes(keyring_json())
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    (credentials / "license").write_bytes(b"{}")
    with running(
        tmp_path / "d", "--license-keyring", str(keyring), environment=environment
    ) as daemon:
        seats = [daemon.seat(f"proxy-{n}") for n in range(5)]
        assert not daemon.seat("sixth").admitted
        (credentials / "license").write_bytes(NEW)
        eventually("the issued license is in force", lambda: _allowed(daemon) == 20)
        with daemon.seat("sixth") as sixth:
            assert sixth.admitted
        for seat in seats:
            seat.leave()
