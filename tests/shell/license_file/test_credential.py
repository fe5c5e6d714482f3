from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.core.license.fault import Fault
from kong_mesh_cp.core.license.sources import SourceReading
from kong_mesh_cp.shell.license_file.sources import SystemLicenseSources
from support.fakes.users import needs_root, reachable_directory, without_root
from support.licenses.licenses import license_document

OLD, NEW = license_document(dataplanes=5), license_document(dataplanes=20)


class Unit:
    """What a service finds: the copy that systemd made, and the file it was made from."""

    def __init__(
        self, folder: Path, document: bytes | None, *, copied: bytes | None = None
    ) -> None:
        self.origin = folder / "license.json"
        self.directory = folder / "credentials"
        self.directory.mkdir()
        copy = copied if copied is not None else document if document is not None else b"{}"
        (self.directory / "license").write_bytes(copy)
        self.put(document)

    def put(self, document: bytes | None) -> None:
        if document is None:
            self.origin.unlink(missing_ok=True)
        else:
            self.origin.write_bytes(document)
            self.origin.chmod(0o640)

    def started(self) -> SystemLicenseSources:
        return SystemLicenseSources(
            credentials_directory=str(self.directory), credential_origin=str(self.origin)
        )


def only(sources: SystemLicenseSources) -> SourceReading:
    (reading,) = sources.read()
    return reading


def test_a_change_of_the_file_that_systemd_copied_is_seen(tmp_path: Path) -> None:
    unit = Unit(tmp_path, OLD)
    sources = unit.started()
    assert only(sources).document == OLD

    unit.put(NEW)

    assert only(sources).document == NEW
    assert only(sources).source == f"{unit.origin} (systemd credential `license`)"


def test_the_file_and_its_copy_are_watched(tmp_path: Path) -> None:
    unit = Unit(tmp_path, OLD)

    assert unit.started().paths == (unit.directory / "license", unit.origin)


def test_a_file_that_appears_after_the_start_is_found(tmp_path: Path) -> None:
    unit = Unit(tmp_path, None)
    sources = unit.started()
    assert sources.read() == ()

    unit.put(NEW)

    assert only(sources).document == NEW


def test_a_file_that_vanishes_is_no_license_for_the_next_start(tmp_path: Path) -> None:
    unit = Unit(tmp_path, OLD)
    sources = unit.started()

    unit.put(None)

    assert sources.read() == ()


def test_a_file_that_breaks_is_reported_though_the_copy_is_good(tmp_path: Path) -> None:
    unit = Unit(tmp_path, OLD)
    sources = unit.started()

    unit.put(b" " * 70_000)

    error = only(sources).error
    assert error is not None
    assert error.fault is Fault.TOO_LARGE


def test_a_credential_loaded_from_elsewhere_does_not_follow_the_file(tmp_path: Path) -> None:
    unit = Unit(tmp_path, NEW, copied=OLD)
    sources = unit.started()
    assert only(sources).document == OLD

    unit.put(None)

    assert only(sources).document == OLD


@needs_root
def test_a_file_this_user_may_not_read_leaves_the_copy_and_says_what_to_do() -> None:
    with reachable_directory() as folder:
        unit = Unit(folder, OLD)
        (unit.directory / "license").chmod(0o644)
        unit.origin.chmod(0o600)

        with without_root():
            reading = only(unit.started())

    assert reading.document == OLD
    [*_, remark] = reading.remarks
    assert "systemctl reload kong-mesh-cp" in remark


@pytest.mark.parametrize("content", [b"", b"{}", b"{}\n"])
def test_an_empty_credential_is_not_set(tmp_path: Path, content: bytes) -> None:
    unit = Unit(tmp_path, None, copied=content)

    assert unit.started().read() == ()
    assert SystemLicenseSources(credentials_directory=str(unit.directory)).read() == ()
