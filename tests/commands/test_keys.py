"""`kong-mesh-cp keys`: what the running daemon made of it, and the exit status."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kong_mesh_cp.cli import main
from kong_mesh_cp.core.errors import EX_UNAVAILABLE
from support.daemons.daemon import Daemon, eventually, running

Said = tuple[int, str, str]


def asking(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def keys(*arguments: str) -> Said:
        status = main(["keys", *arguments, "--socket", str(daemon.socket)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return keys


def settled(daemon: Daemon) -> None:
    token = "/global-secrets/admin-user-token"
    eventually("the first token", lambda: daemon.api("GET", token).status == 200)


@pytest.mark.system
def test_signing_keys_are_rotated_and_retired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as daemon:
        settled(daemon)
        keys = asking(daemon, capsys)
        for key, name in (
            (("user",), "user-token-signing-key"),
            (("zone",), "zone-token-signing-key"),
            (("dataplane", "--mesh", "default"), "dataplane-token-signing-key-default"),
        ):
            said = f"{name}-2 signs from now on; earlier keys go on validating\n"
            assert keys("rotate", *key) == (0, said, "")
            status, out, err = keys("retire", *key, "2")
            assert (status, out) == (1, "")
            assert err.startswith(f"kong-mesh-cp: signing-key-in-use: {name}-2 is the key that")
            said = f"retired: tokens signed by {key[0]} key 1 are void\n"
            assert keys("retire", *key, "1") == (0, said, "")
            status, out, err = keys("retire", *key, "1")
            assert (status, out) == (1, "")
            assert err.startswith("kong-mesh-cp: signing-key-missing: ")
        _, out, _ = keys("list", "--mesh", "default")
        assert re.fullmatch(
            r"KEY +NUMBER +STATE +CREATED +SECRET\n"
            r"dataplane +2 +signing +\S+Z +dataplane-token-signing-key-default-2\n",
            out,
        )


@pytest.mark.system
def test_the_sealing_key_is_rotated_and_retired_while_the_daemon_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as daemon:
        settled(daemon)
        keys = asking(daemon, capsys)
        token = daemon.api("GET", "/global-secrets/admin-user-token").json["data"]
        before = (daemon.state / "secret-key").read_text()

        status, out, _ = keys("rotate", "sealing")
        assert status == 0
        said = re.fullmatch(r"([0-9a-f]{16}) seals from now on; secrets sealed anew: (\d+)\n", out)
        assert said is not None
        assert int(said[2]) >= 4
        new, old = (daemon.state / "secret-key").read_text().splitlines()
        assert old == before.strip()
        _, out, _ = keys("list")
        assert re.search(
            rf"^{said[1]} +sealing +{said[2]}\n[0-9a-f]{{16}} +opening +0$", out, re.MULTILINE
        )
        assert new not in out

        status, out, _ = keys("retire", "sealing")
        assert status == 0
        assert re.fullmatch(r"retired: [0-9a-f]{16}\n", out)
        assert keys("retire", "sealing") == (0, "there is no earlier key\n", "")
        assert (daemon.state / "secret-key").read_text() == f"{new}\n"
        daemon.stop()
        daemon.start()
        assert daemon.api("GET", "/global-secrets/admin-user-token").json["data"] == token


@pytest.mark.system
def test_a_token_is_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path) as daemon:
        settled(daemon)
        keys = asking(daemon, capsys)
        assert keys("revoke", "user", "an-id") == (0, "revoked: user token an-id is void\n", "")
        status, out, err = keys("revoke", "user", "a,b")
        assert (status, out) == (1, "")
        assert err.startswith("kong-mesh-cp: resource-invalid: id: the id of a token is a text")
        assert (
            daemon.api("GET", "/global-secrets/user-token-revocations").json["data"] == "YW4taWQ="
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ("rotate", "dataplane"),
        ("rotate", "user", "--mesh", "m"),
        ("rotate", "sealing", "--mesh", "m"),
        ("rotate", "other"),
        ("retire", "user"),
        ("retire", "sealing", "1"),
        ("revoke", "sealing", "id"),
        ("revoke", "zone", "id", "--mesh", "m"),
    ],
)
def test_what_does_not_go_together_is_no_command(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", *arguments])
    assert ended.value.code == 2


def test_without_a_daemon_the_expected_socket_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = str(tmp_path / "a.sock")
    assert main(["keys", "list", "--socket", nobody]) == EX_UNAVAILABLE
    assert capsys.readouterr().err.startswith("kong-mesh-cp: daemon-not-running: ")
