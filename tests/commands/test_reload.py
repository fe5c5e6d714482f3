"""`kong-mesh-cp reload`: what came of it, and the exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.cli import main
from kong_mesh_cp.core.errors import EX_UNAVAILABLE
from support.daemons.daemon import running
from support.licenses.licenses import keyring_json, license_document


def _flags(directory: Path) -> tuple[str, str]:
    (directory / "keyring.json").write_bytes(keyring_json())
    return "--license-keyring", str(directory / "keyring.json")


@pytest.mark.system
def test_a_reload_says_what_it_changed_or_why_it_did_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    license_file = tmp_path / "license.json"
    license_file.write_bytes(license_document(dataplanes=20))
    environment = {"KMESH_LICENSE_PATH": str(license_file)}
    with running(tmp_path / "d", *_flags(tmp_path), environment=environment) as daemon:

        def reload() -> tuple[int, str, str]:
            status = main(["reload", "--socket", str(daemon.socket)])
            said = capsys.readouterr()
            return status, said.out, said.err

        assert reload() == (0, "unchanged\n", "")

        # Beside the file's own watcher: whoever comes first swaps it in, the other finds it so.
        license_file.write_bytes(license_document(dataplanes=20, expires="2023-11-09"))
        status, out, err = reload()
        assert (status, out) == (1, "")
        assert err.startswith("kong-mesh-cp: license-expired: ")
        assert err.count("\n") == 1
        assert str(license_file) in err
        assert daemon.api("GET", "/license").json["allowedDataplaneProxies"] == 20


@pytest.mark.system
def test_a_smaller_license_is_taken_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "license"
    place.mkdir()
    environment = {"KMESH_LICENSE_PATH": str(place / "license.json")}
    (place / "license.json").write_bytes(license_document(dataplanes=20))
    with running(tmp_path / "d", *_flags(tmp_path), environment=environment) as daemon:
        (place / "license.json").write_bytes(license_document(dataplanes=3))
        assert main(["reload", "--socket", str(daemon.socket)]) == 0

        said = capsys.readouterr()
        applied = ("applied: dataplanes 20 → 3\n", "note: fewer data plane proxies (20 → 3)\n")
        # The file's own watcher may have been first; then there is nothing left to change.
        assert (said.out, said.err) in [applied, ("unchanged\n", "")]
        assert daemon.api("GET", "/license").json["allowedDataplaneProxies"] == 3


def test_without_a_daemon_the_expected_socket_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reload", "--socket", str(tmp_path / "a.sock")]) == EX_UNAVAILABLE

    err = capsys.readouterr().err
    assert err.startswith(f"kong-mesh-cp: daemon-not-running: no daemon answers on {tmp_path}")
