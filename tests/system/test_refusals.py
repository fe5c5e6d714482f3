"""A start that is refused: status 78, a few lines, and nothing left behind."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, running
from support.licenses.licenses import KEYRING, STRANGER, keyring_json, license_document

pytestmark = pytest.mark.system

EX_CONFIG = 78
LINES_MAX = 3
EXPIRED = license_document(expires="2023-11-09")


def _files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def _keyring(directory: Path) -> str:
    directory.mkdir(exist_ok=True, parents=True)
    path = directory / "keyring.json"
    path.write_bytes(keyring_json(KEYRING))
    return str(path)


REFUSED = {
    "expired": EXPIRED,
    "signed by a stranger": license_document(signer=STRANGER),
    "empty": b"",
    "not JSON": b"license: 5",
    "a nesting bomb": b"[" * 100_000,
    "too large": b" " * 70_000,
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_license_leaves_status_78_a_line_and_nothing_else(
    tmp_path: Path, document: bytes
) -> None:
    path = tmp_path / "license.json"
    path.write_bytes(document)
    place = tmp_path / "place"
    daemon = Daemon(
        place,
        "--license-keyring",
        _keyring(tmp_path),
        environment={"KMESH_LICENSE_PATH": str(path)},
    )
    with daemon.launch():
        assert daemon.exit_status() == EX_CONFIG

    lines = daemon.stderr.splitlines()
    assert 1 <= len(lines) <= LINES_MAX
    assert lines[-1].startswith("kong-mesh-cp: license-")
    assert str(path) in lines[-1]
    assert "Traceback" not in daemon.stderr
    assert _files(place) == {"stdout"}, "the test's own files and no other"
    assert daemon.stdout.read_bytes() == b""


def test_a_comma_too_many_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_bytes(license_document().rstrip().removesuffix(b"}") + b",}")
    daemon = Daemon(tmp_path / "d", environment={"KMESH_LICENSE_PATH": str(path)})
    with daemon.launch():
        assert daemon.exit_status() == EX_CONFIG

    assert re.fullmatch(
        rf"kong-mesh-cp: license-not-json: the license in {path} \(KMESH_LICENSE_PATH\) is not JSON as"
        r" it has to be: .* at line \d+, column \d+\. Use the license exactly as it was issued\.",
        daemon.stderr.splitlines()[-1],
    )


def test_an_expired_license_is_refused_in_the_documented_words(tmp_path: Path) -> None:
    path = tmp_path / "expired.json"
    path.write_bytes(EXPIRED)
    daemon = Daemon(
        tmp_path / "place",
        "--license-keyring",
        _keyring(tmp_path),
        environment={"KMESH_LICENSE_PATH": str(path)},
    )
    with daemon.launch():
        daemon.exit_status()

    line = (
        f"license-expired: the license of company_inc in {path} (KMESH_LICENSE_PATH) ended at"
        " 2023-11-09T00:00:00Z. Put a renewed file there and run: systemctl start kong-mesh-cp"
    )
    assert daemon.stderr.splitlines()[-1] == f"kong-mesh-cp: {line}"
    assert f"STATUS={line}" in daemon.notifications
    assert "ERRNO=22" in daemon.notifications
    assert "READY=1" not in daemon.notifications


def test_a_refused_license_takes_no_port_even_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "expired.json"
    path.write_bytes(EXPIRED)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        daemon = Daemon(
            tmp_path / "place",
            "--license-keyring",
            _keyring(tmp_path),
            environment={"KMESH_LICENSE_PATH": str(path), "KUMA_API_SERVER_HTTP_PORT": port},
        )
        with daemon.launch():
            # Had it tried the port first, it would speak of the port.
            assert daemon.exit_status() == EX_CONFIG
    assert "license-expired" in daemon.stderr


def test_a_refusal_leaves_an_existing_state_untouched_byte_by_byte(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        with daemon.seat("backend-1"):
            daemon.stop()
        before = {p.name: p.read_bytes() for p in daemon.state.iterdir()}
        daemon.environment["KMESH_LICENSE_INLINE"] = "not a license"
        daemon.launch()
        assert daemon.exit_status() == EX_CONFIG

        assert {p.name: p.read_bytes() for p in daemon.state.iterdir()} == before


def test_a_license_that_expired_lets_the_daemon_run_on_but_not_start(tmp_path: Path) -> None:
    path = tmp_path / "license.json"
    path.write_bytes(license_document(expires="2032-11-09"))
    flags = ("--license-keyring", _keyring(tmp_path))
    with running(tmp_path / "d", *flags, environment={"KMESH_LICENSE_PATH": str(path)}) as daemon:
        path.write_bytes(EXPIRED)
        assert daemon.api("POST", "/license/reload").status == 409
        with daemon.seat("backend-1") as seat:
            assert seat.admitted
        assert daemon.metric("kong_mesh_license_restart_safe") == 0
        assert daemon.api("GET", "/license").json["expirationDate"] == "2032-11-09T00:00:00Z"
        daemon.stop()
        daemon.launch()
        assert daemon.exit_status() == EX_CONFIG


def test_a_wrong_setting_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, environment={"KUMA_API_SERVER_HTTP_PORT": "high"})
    with daemon.launch():
        assert daemon.exit_status() == EX_CONFIG
    assert "KUMA_API_SERVER_HTTP_PORT" in daemon.stderr
    assert not daemon.state.exists()


def test_a_refusal_on_the_journal_carries_its_priority_and_no_name(tmp_path: Path) -> None:
    # JOURNAL_STREAM names the device and inode of stderr; a wrapper can tell them of its own.
    wrapper = (
        "bash",
        "-c",
        'export JOURNAL_STREAM="$(stat -L -c %d:%i /dev/fd/2)"; exec "$@"',
        "bash",
    )
    daemon = Daemon(tmp_path, environment={"KMESH_LICENSE_INLINE": "?"}, wrapper=wrapper)
    with daemon.launch():
        daemon.exit_status()
    assert daemon.stderr.splitlines()[-1].startswith("<3>license-not-json: ")
    assert os.linesep.join(daemon.stderr.splitlines()).count("<3>") == 1
