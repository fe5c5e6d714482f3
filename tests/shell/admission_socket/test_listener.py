from __future__ import annotations

import grp
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import EX_UNAVAILABLE, ListenError
from kong_mesh_cp.shell.admission_socket.listener import (
    DIRECTORY_MODE,
    PATH_BYTES_MAX,
    SOCKET_GROUP,
    adopted,
    bound,
    open_to,
)
from support.fakes.users import needs_root, without_root


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def leave_a_dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(path))


def refused(path: Path) -> ListenError:
    with pytest.raises(ListenError) as error, bound(path):
        pass
    assert error.value.exit_status == EX_UNAVAILABLE
    assert error.value.hint
    return error.value


def group_exists() -> bool:
    return any(entry.gr_name == SOCKET_GROUP for entry in grp.getgrall())


def test_the_socket_listens_with_its_mode_and_goes_away_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"

    with bound(path) as listener:
        found = path.lstat()
        assert connects(path)
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert not listener.getblocking()
        assert not listener.get_inheritable()

    assert list(tmp_path.iterdir()) == []


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    former = os.umask(0o777)
    try:
        with bound(tmp_path / "new" / "admission.sock"):
            pass
    finally:
        os.umask(former)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == DIRECTORY_MODE


def test_a_missing_directory_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "run" / "kong-mesh-cp" / "admission.sock"

    with bound(path):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_an_existing_directory_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)

    with bound(tmp_path / "admission.sock"):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o711


@needs_root
@pytest.mark.skipif(not group_exists(), reason="there is no group kong-mesh here")
def test_the_group_kong_mesh_gets_the_socket(tmp_path: Path) -> None:
    with bound(tmp_path / "admission.sock"):
        gid = (tmp_path / "admission.sock").stat().st_gid

    assert gid == grp.getgrnam(SOCKET_GROUP).gr_gid


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"
    leave_a_dead_socket(path)
    leave_a_dead_socket(path.with_name("admission.sock.new"))

    with bound(path):
        assert connects(path)

    assert list(tmp_path.iterdir()) == []


def test_a_live_owner_is_named_and_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"
    script = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)\n"
        "sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    try:
        error = refused(path)
        assert connects(path)
    finally:
        owner.communicate()

    command = Path(sys.executable).resolve().name
    assert error.code == "socket-in-use"
    assert f"process {owner.pid} (python" in error.message
    assert command.startswith("python")
    assert str(path) in error.message


def test_an_owner_that_does_not_accept_any_more_still_owns_it(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"
    with socket.socket(socket.AF_UNIX) as owner, socket.socket(socket.AF_UNIX) as waiting:
        owner.bind(str(path))
        owner.listen(0)
        waiting.connect(str(path))

        error = refused(path)

    assert "does not answer" in error.message


def test_a_socket_for_datagrams_in_the_way_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))

        assert "datagrams" in refused(path).message


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_not_touched(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "admission.sock"
    match kind:
        case "file":
            path.write_text("precious")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "elsewhere")

    assert refused(path).code == "socket-path-taken"
    assert path.is_symlink() or path.exists()


def test_a_path_that_the_kernel_cannot_hold_is_reported_before_anything_is_made(
    tmp_path: Path,
) -> None:
    room = PATH_BYTES_MAX - len(os.fsencode(tmp_path)) - 1
    longest = tmp_path / ("s" * room)
    too_long = tmp_path / ("d" * 60) / ("s" * room)

    with bound(longest):
        assert connects(longest)
    error = refused(too_long)

    assert error.code == "socket-path-too-long"
    assert str(PATH_BYTES_MAX) in error.hint
    assert not too_long.parent.exists()


@needs_root
def test_a_directory_that_may_not_be_written_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with without_root():
        error = refused(tmp_path / "admission.sock")

    assert error.code == "socket-unusable"
    assert "Permission denied" in error.message


def test_a_parent_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert refused(tmp_path / "file" / "admission.sock").code == "socket-unusable"


def test_control_characters_of_a_path_do_not_reach_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb"
    path.write_text("")

    assert "\n" not in refused(path).line


def test_a_socket_that_another_process_put_in_our_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "admission.sock"
    with bound(path):
        path.unlink()
        leave_a_dead_socket(path)

    assert path.is_socket()


def test_a_socket_that_was_taken_away_is_no_error_at_the_end(tmp_path: Path) -> None:
    with bound(tmp_path / "admission.sock"):
        (tmp_path / "admission.sock").unlink()


def test_a_listening_socket_of_the_service_manager_is_adopted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as handed_over:
        handed_over.bind(str(tmp_path / "s"))
        handed_over.listen()

        assert adopted(handed_over) is handed_over
        assert not handed_over.getblocking()


@pytest.mark.parametrize("kind", ["connected", "not-listening", "datagram", "tcp"])
def test_any_other_socket_is_not_adopted(tmp_path: Path, kind: str) -> None:
    if kind == "connected":
        handed_over, other = socket.socketpair()
        other.close()
    elif kind == "datagram":
        handed_over = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    elif kind == "tcp":
        handed_over = socket.socket()
        handed_over.bind(("127.0.0.1", 0))
        handed_over.listen()
    else:
        handed_over = socket.socket(socket.AF_UNIX)
        handed_over.bind(str(tmp_path / "s"))
    with handed_over, pytest.raises(ListenError) as error:
        adopted(handed_over)

    assert error.value.code == "socket-unusable"


@pytest.mark.parametrize(
    ("mode", "who"),
    [(0o600, None), (0o640, None), (0o660, "every member of the group "), (0o666, "everybody")],
)
def test_who_may_open_it_follows_from_its_mode(tmp_path: Path, mode: int, who: str | None) -> None:
    path = tmp_path / "admission.sock"
    with bound(path):
        path.chmod(mode)
        found = open_to(str(path))
        assert found is None if who is None else found is not None and found.startswith(who)
    assert open_to(str(path)) is None
    assert open_to("\0abstract") is None
