"""Keys and tokens of users by way of kumactl, on a daemon that takes it for a remote client."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.kumactl_runs import Ran, User

pytestmark = pytest.mark.system

# As the original's own help says how a key is rotated, but for the number's zeros.
RECIPE = """
type: GlobalSecret
name: user-token-signing-key-2
data: {{ key }}
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with running(tmp_path) as started:
        eventually(
            "the first token",
            lambda: started.api("GET", "/global-secrets/admin-user-token").status == 200,
        )
        yield started


def _url(daemon: Daemon) -> str:
    return f"http://{daemon.addresses['api'].removeprefix('http://')}"


@pytest.fixture
def local(daemon: Daemon, tmp_path: Path) -> User:
    return User(tmp_path / "local", _url(daemon))


def _done(ran: Ran) -> str:
    assert ran.status == 0, ran.err
    return ran.out


def _token(user: User, *argv: str) -> str:
    asked = ("generate", "user-token", "--name", "john", "--valid-for", "1h")
    return _done(user.run(*asked, *argv, now=datetime.now(UTC)))


def _adding(daemon: Daemon, home: Path, token: str) -> Ran:
    """Of a client that the daemon takes for a remote one, by the name that it asks for."""
    return User(home).run(
        *("config", "control-planes", "add", "--name", "x", "--address", _url(daemon)),
        *("--headers", "host=mesh.example", "--auth-type", "tokens", "--auth-conf", "token=@-"),
        stdin=token.encode(),
        now=datetime.now(UTC),
    )


def _part(token: str, number: int) -> dict[str, object]:
    part = token.split(".")[number]
    decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(decoded, dict)
    return decoded


def _kid(token: str) -> object:
    return _part(token, 0)["kid"]


def test_a_key_is_rotated_as_the_recipe_says(daemon: Daemon, local: User, tmp_path: Path) -> None:
    old = _token(local)
    recipe = tmp_path / "key.yaml"
    recipe.write_text(RECIPE)

    key = _done(local.run("generate", "signing-key", "--format=pem-base64"))
    applied = ("apply", "-f", str(recipe), "--var", "key=@-")
    _done(local.run(*applied, stdin=key.encode()))
    new = _token(local)

    assert [_kid(old), _kid(new)] == ["1", "2"]
    assert _adding(daemon, tmp_path / "before", old).status == 0
    _done(local.run("delete", "global-secret", "user-token-signing-key-1"))
    assert _adding(daemon, tmp_path / "new", new).status == 0
    refused = _adding(daemon, tmp_path / "old", old)
    assert refused.status == 1
    assert "The token: there is no signing key with KID 1." in refused.err


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def expired(local: User, tmp_path: Path) -> str:
    """A token of yesterday, signed with the key of the daemon."""
    shown = _done(local.run("get", "global-secret", "user-token-signing-key-1", "-o", "json"))
    key = tmp_path / "key.pem"
    key.write_bytes(base64.b64decode(json.loads(shown)["data"]))
    signed = ("generate", "user-token", "--name", "john", "--valid-for", "1h", "--kid", "1")
    return _done(local.run(*signed, "--signing-key-path", str(key), now=YESTERDAY)).strip()


def test_an_expired_token_is_told_to_its_sender_and_in_the_log(
    daemon: Daemon, expired: str
) -> None:
    elsewhere = {"x-forwarded-for": "10.0.0.7", "authorization": f"Bearer {expired}"}
    refused = daemon.api("GET", "/meshes", elsewhere)

    ended = f"{YESTERDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    told = refused.json
    assert (refused.status, told["code"]) == (401, "token-expired")
    assert told["reason"] == "token is expired"
    assert str(told["hint"]).startswith(f"It ended at {ended}. Issue a new token, ")
    eventually("it is logged", lambda: "audit-refused: 401" in daemon.stderr)
    (line,) = (line for line in daemon.stderr.splitlines() if "audit-refused: 401" in line)
    (token_id,) = re.findall(r"token-expired: token is expired \(id ([\w-]+)\)", line)
    assert token_id == _part(expired, 1)["jti"]
    assert line.endswith(f". It ended at {ended}")
    assert "10.0.0.7" in line
    assert expired not in daemon.stderr


def test_a_control_plane_is_not_added_with_a_token_that_expired(
    daemon: Daemon, expired: str, tmp_path: Path
) -> None:
    ran = _adding(daemon, tmp_path / "remote", expired)

    assert ran.status == 1
    assert ran.err.startswith("Error: Invalid authentication data (")
    assert (
        f"The token: it expired at {YESTERDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}." in ran.err
    )
    assert expired not in ran.err
    assert not User(tmp_path / "remote").config.exists()


def test_all_tags_of_one_flag_are_conditions(daemon: Daemon, local: User) -> None:
    for name, version in (("web-1", "1"), ("web-2", "2")):
        tags = {"kuma.io/service": "web", "version": version}
        body = {"type": "Dataplane", "mesh": "default", "name": name}
        networking = {"address": "10.0.0.1", "inbound": [{"port": 80, "tags": tags}]}
        path = f"/meshes/default/dataplanes/{name}"
        content = json.dumps({**body, "networking": networking}).encode()
        answer = daemon.api("PUT", path, {"content-type": "application/json"}, content)
        assert answer.status == 201

    asked = ("--tag", "kuma.io/service=web,version=2", "-o", "json")
    shown = json.loads(_done(local.run("inspect", "dataplanes", *asked)))

    assert [item["name"] for item in shown["items"]] == ["web-2"]


def test_who_says_nothing_of_himself_is_told_how_to(daemon: Daemon, tmp_path: Path) -> None:
    remote = User(tmp_path / "remote")
    forwarded = ("--headers", "x-forwarded-for=10.0.0.7")  # as a proxy on this machine would
    adding = ("config", "control-planes", "add", "--name", "r", "--address", _url(daemon))
    _done(remote.run(*adding, *forwarded))

    ran = remote.run("apply", "-f", "-", stdin=b"type: Mesh\nname: payments\n")

    assert ran.status == 1
    assert ran.err == (
        "Error: standard input, mesh/payments: Access Denied (user"
        ' "mesh-system:anonymous/mesh-system:unauthenticated" cannot access the resource of type'
        ' "Mesh"). Nothing says who asks. Send a user token (Authorization: Bearer TOKEN; kumactl'
        " config control-planes add --auth-type tokens), or ask on the machine of the control"
        " plane\n"
    )
