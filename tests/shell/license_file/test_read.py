from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.core.license.document import LICENSE_BYTES_MAX
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.shell.license_file.read import read_license_file

NOBODY = 65534
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def refusal(path: Path) -> LicenseRejectedError:
    with pytest.raises(LicenseRejectedError) as caught:
        read_license_file(path, source=f"{path} (KMESH_LICENSE_PATH)")
    assert "\n" not in caught.value.line
    assert caught.value.hint
    return caught.value


def license_file(folder: Path, content: bytes = b"{}\n", mode: int = 0o640) -> Path:
    path = folder / "license.json"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_of_its_owner_is_read_byte_by_byte_without_a_remark(tmp_path: Path) -> None:
    content = read_license_file(license_file(tmp_path, b"\xff{}\r\n"), source="x")

    assert content.document == b"\xff{}\r\n"
    assert content.remarks == ()


def test_the_bytes_never_show_in_a_repr(tmp_path: Path) -> None:
    content = read_license_file(license_file(tmp_path, b"canary"), source="x")

    assert "canary" not in repr(content)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(license_file(tmp_path, b"here"))

    assert read_license_file(link, source="x").document == b"here"


def test_64_kib_are_read_and_one_byte_more_is_too_large(tmp_path: Path) -> None:
    path = license_file(tmp_path, b"x" * LICENSE_BYTES_MAX)
    assert len(read_license_file(path, source="x").document) == LICENSE_BYTES_MAX

    license_file(tmp_path, b"x" * (LICENSE_BYTES_MAX + 1))
    assert refusal(path).fault is Fault.TOO_LARGE


def test_a_sparse_file_of_a_terabyte_is_too_large_at_once(tmp_path: Path) -> None:
    path = license_file(tmp_path)
    os.truncate(path, 2**40)

    assert refusal(path).fault is Fault.TOO_LARGE


def test_a_named_pipe_without_a_writer_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    error = refusal(path)

    assert error.fault is Fault.UNREADABLE
    assert "a named pipe" in error.message


def test_a_folder_is_refused_with_the_file_that_may_be_meant(tmp_path: Path) -> None:
    error = refusal(tmp_path)

    assert error.fault is Fault.UNREADABLE
    assert f"{tmp_path}/license.json" in error.hint


def test_a_device_is_refused() -> None:
    assert "a device" in refusal(Path("/dev/zero")).message


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))

        assert "a socket" in refusal(tmp_path / "s").message


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o666, 0o777])
def test_a_world_writable_file_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int
) -> None:
    path = license_file(tmp_path, mode=mode)

    error = refusal(path)

    assert error.fault is Fault.UNSAFE_PERMISSIONS
    assert f"(mode {mode:04o})" in error.message
    assert error.hint.endswith(f"chmod o-w {path}")


def test_a_link_to_a_world_writable_file_is_checked_by_the_opened_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(license_file(tmp_path, mode=0o666))

    assert refusal(link).fault is Fault.UNSAFE_PERMISSIONS


@pytest.mark.parametrize(
    ("mode", "remarks"),
    [(0o600, []), (0o640, []), (0o644, ["chmod o-r"]), (0o664, ["chmod g-w", "chmod o-r"])],
)
def test_untidy_permissions_are_remarked_and_the_file_is_read(
    tmp_path: Path, mode: int, remarks: list[str]
) -> None:
    path = license_file(tmp_path, mode=mode)

    found = read_license_file(path, source="x").remarks

    assert len(found) == len(remarks)
    assert all(command in remark for command, remark in zip(remarks, found, strict=True))


@NEEDS_ROOT
def test_a_file_of_a_third_user_is_remarked(tmp_path: Path) -> None:
    path = license_file(tmp_path)
    os.chown(path, NOBODY, 0)

    (remark,) = read_license_file(path, source="x").remarks

    assert "belongs to user nobody" in remark


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    error = refusal(tmp_path / "license.json")

    assert error.code == "license-path-not-found"
    assert error.message == f"{tmp_path}/license.json (KMESH_LICENSE_PATH) does not exist"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path / "kong-mash" / "deeper" / "license.json")

    assert error.message.endswith(f"does not exist: there is no folder {tmp_path}/kong-mash")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    file = license_file(tmp_path)

    error = refusal(file / "license.json")

    assert error.fault is Fault.PATH_NOT_FOUND
    assert error.message.endswith(f"{file} is a file, not a folder")


def test_a_dangling_link_says_where_it_goes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("../gone.json")

    error = refusal(tmp_path / "link")

    assert error.fault is Fault.PATH_NOT_FOUND
    assert "is a symbolic link to ../gone.json, which does not exist" in error.message


def test_a_dangling_link_in_the_middle_of_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("v1")

    error = refusal(tmp_path / "current" / "license.json")

    assert error.message.endswith(f"{tmp_path}/current links to v1, which is missing")


def test_a_loop_of_links_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    error = refusal(tmp_path / "a")

    assert error.fault is Fault.UNREADABLE
    assert error.hint == f"See where it goes: namei -l {tmp_path}/a"


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0inside", "\ud800"])
def test_what_can_be_no_path_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(LicenseRejectedError) as caught:
        read_license_file(tmp_path / name, source="KMESH_LICENSE_PATH")

    assert caught.value.fault is Fault.PATH_NOT_FOUND


def test_a_newline_in_a_path_stays_out_of_the_hint(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines"
    path.write_bytes(b"")
    path.chmod(0o666)

    with pytest.raises(LicenseRejectedError) as caught:
        read_license_file(path, source="x")

    assert "\n" not in caught.value.line


def refusal_as_nobody(path: Path) -> str:
    """The refusal's line as an unprivileged process gets it; root may read everything."""
    script = (
        "import os, sys, pathlib\n"
        "from kong_mesh_cp.core.license.fault import LicenseRejectedError\n"
        "from kong_mesh_cp.shell.license_file.read import read_license_file\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try:\n"
        "    read_license_file(pathlib.Path(sys.argv[1]), source='THE FILE')\n"
        "except LicenseRejectedError as error:\n"
        "    print(error.line)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@NEEDS_ROOT
def test_a_file_of_root_alone_names_our_user_the_mode_and_the_remedy(open_folder: Path) -> None:
    path = license_file(open_folder, mode=0o600)

    line = refusal_as_nobody(path)

    assert line == (
        "license-unreadable: THE FILE cannot be read by user nobody (0600 root:root). "
        f"Run: chgrp nogroup {path} && chmod g+r {path}"
    )


@NEEDS_ROOT
def test_a_folder_that_may_not_be_entered_is_named(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    path = license_file(closed, mode=0o644)

    line = refusal_as_nobody(path)

    assert f"user nobody may not enter the folder {closed}" in line
    assert line.startswith("license-unreadable: ")


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    path = license_file(tmp_path)
    before = open_descriptors()

    read_license_file(path, source="x")
    path.chmod(0o666)
    refusal(path)
    path.unlink()
    refusal(path)

    assert open_descriptors() == before
