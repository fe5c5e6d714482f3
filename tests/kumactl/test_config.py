"""`kumactl config`: the file is shared with the original, which must find it as it left it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from support.daemons.kuma_api import INDEX, Reply, api
from support.daemons.kumactl_runs import User

ADD = ("config", "control-planes", "add")
ORIGINAL = """\
contexts:
- controlPlane: test1
  defaults:
    mesh: demo
  name: test1
controlPlanes:
- coordinates:
    apiServer:
      addHeaders:
      - key: abc
        value: xyz
      url: https://test1.internal:5681
    somethingNew: 1
  name: test1
  zzz: kept
- coordinates:
    apiServer:
      authConf:
        token: secret-1
      authType: tokens
      url: https://test2.internal:5682
  name: test2
aNewerKey:
  of: a newer kumactl
currentContext: test1
"""


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_adding_writes_what_the_original_writes(user: User) -> None:
    ran = user.run(
        *(*ADD, "--name", "prod", "--address", "https://cp:5682"),
        *("--ca-cert-file", "/ca.pem", "--auth-type", "tokens", "--auth-conf", "token=@-"),
        *("--headers", "k2=v2,k1=v1", "--skip-check"),
        stdin=b"t0k\n",
    )

    assert (ran.status, ran.err) == (0, "")
    assert ran.out == 'added Control Plane "prod"\nswitched active Control Plane to "prod"\n'
    assert yaml.safe_load(user.config.read_text()) == {
        "contexts": [
            {"controlPlane": "local", "name": "local"},
            {"controlPlane": "prod", "name": "prod"},
        ],
        "controlPlanes": [
            {"coordinates": {"apiServer": {"url": "http://localhost:5681"}}, "name": "local"},
            {
                "coordinates": {
                    "apiServer": {
                        "authConf": {"token": "t0k"},
                        "authType": "tokens",
                        "caCertFile": "/ca.pem",
                        "headers": [
                            {"key": "k1", "value": "v1"},
                            {"key": "k2", "value": "v2"},
                        ],
                        "url": "https://cp:5682",
                    }
                },
                "name": "prod",
            },
        ],
        "currentContext": "prod",
    }


def test_the_file_is_for_its_owner_alone(user: User) -> None:
    user.run("config", "control-planes", "switch", "--name", "local")

    assert stat.S_IMODE(user.config.stat().st_mode) == 0o600
    assert stat.S_IMODE(user.config.parent.stat().st_mode) & 0o077 == 0
    assert list(user.config.parent.iterdir()) == [user.config]


def test_switching_there_and_back_leaves_the_originals_file_as_it_was(user: User) -> None:
    user.configure(ORIGINAL.replace("currentContext: test1", "currentContext: second"))
    user.configure(
        user.config.read_text().replace(
            "controlPlanes:", "- controlPlane: test2\n  name: second\ncontrolPlanes:", 1
        )
    )
    before = user.config.read_text()

    user.run("config", "control-planes", "switch", "--name", "test1")
    assert user.config.read_text() != before
    user.run("config", "control-planes", "switch", "--name", "second")

    assert user.config.read_text() == before


def test_adding_keeps_keys_it_does_not_know_and_their_order(user: User) -> None:
    user.configure(ORIGINAL)

    user.run(
        *(*ADD, "--name", "test1", "--overwrite", "--skip-check"),
        *("--address", "http://other:5681"),
    )

    expected = ORIGINAL.replace("https://test1.internal:5681", "http://other:5681")
    assert user.config.read_text() == expected


def test_overwriting_drops_the_old_token(user: User) -> None:
    user.configure(ORIGINAL)

    user.run(
        *(*ADD, "--name", "test2", "--overwrite", "--skip-check"),
        *("--address", "http://other:5681"),
    )

    assert "secret-1" not in user.config.read_text()
    assert "authType" not in user.config.read_text()


def test_list_marks_the_active_one(user: User) -> None:
    user.configure(ORIGINAL)

    ran = user.run("config", "control-planes", "list")

    assert ran.out == (
        "ACTIVE   NAME    ADDRESS\n"
        "*        test1   https://test1.internal:5681\n"
        "         test2   https://test2.internal:5682\n"
    )


def test_removing_the_active_one_activates_the_first_that_is_left(user: User) -> None:
    user.run(*ADD, "--name", "b", "--address", "http://b", "--skip-check")

    first = user.run("config", "control-planes", "remove", "--name", "b")
    last = user.run("config", "control-planes", "remove", "--name", "local")
    then = user.run("get", "meshes")

    assert first.out == 'removed Control Plane "b"\nswitched active Control Plane to "local"\n'
    assert "there is no active Control Plane left" in last.out
    assert then.status == 2
    assert "active Control Plane is not set" in then.err


def test_view_shows_all_but_the_secrets(user: User) -> None:
    user.configure(ORIGINAL)

    shown = user.run("config", "view").out

    assert "secret-1" not in shown
    expected = yaml.safe_load(ORIGINAL.replace("secret-1", "'*****'"))
    assert yaml.safe_load(shown) == expected
    assert user.run("config", "control-planes", "view").out == shown


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("--name test2 --address http://x --skip-check", "already exists. Use --overwrite"),
        ("--name x --address cp:5681 --skip-check", "is no URL of a server"),
        ("--name x --address ftp://cp --skip-check", "is no URL of a server"),
        ("--name x --address http://cp:99999 --skip-check", "is no URL of a server"),
        ("--name x --address http://[ --skip-check", "is no URL of a server"),
        ("--name x --address http://x --auth-type ldap --skip-check", "is not found"),
        ("--name x --address http://x --auth-type tokens --skip-check", 'provide "token" key'),
        ("--name x --address http://x --auth-conf token --skip-check", "key=value"),
        ("--name x --address http://x --client-key-file /k --skip-check", "--client-cert-file"),
        ("--name x --address https://x --ca-cert-file /absent", "No such file"),
        ("--name x --address http://x --headers a:b=1 --skip-check", "no name of a header"),
        ("--name x --address http://x --headers a=\x07 --skip-check", "not printable ASCII"),
        (
            "--name x --address http://x --auth-type tokens --auth-conf token=gehe\u00edm --skip-check",
            "the value of the header authorization is not printable ASCII",
        ),
        ("--name= --address http://x --skip-check", "cannot be empty"),
        ("--name x --skip-check", "--address"),
        ("--no-config --name x --address http://x --skip-check", "--no-config"),
    ],
)
def test_what_cannot_be_added_changes_nothing(flags: str, problem: str, user: User) -> None:
    user.configure(ORIGINAL)

    ran = user.run(*ADD, *flags.split())

    assert ran.status == 2
    assert problem in ran.err
    assert "gehe" not in ran.err
    assert user.config.read_text() == ORIGINAL


@pytest.mark.parametrize(
    ("reply", "status", "problem"),
    [
        (Reply(body={**INDEX, "product": "Kuma"}), 1, "you're connected to is Kuma. Please use"),
        (Reply(body=b"<html>"), 3, "could not connect to the Control Plane API Server"),
        (Reply(body=[1]), 3, "could not connect to the Control Plane API Server"),
        (Reply(500, b"oops"), 3, "no control plane: unexpected answer, HTTP status 500: oops"),
        (Reply(404, b"404: Page Not Found"), 3, "HTTP status 404"),
    ],
)
def test_what_is_no_control_plane_is_not_added(
    reply: Reply, status: int, problem: str, user: User
) -> None:
    with api(lambda _asked: reply) as server:
        ran = user.run(*ADD, "--name", "x", "--address", server.url)

    assert ran.status == status
    assert problem in ran.err
    assert not user.config.exists()


def test_a_preview_of_another_product_is_taken(user: User) -> None:
    index = {**INDEX, "product": "Kuma", "version": "0.0.0-preview.1"}
    with api(lambda _asked: Reply(body=index)) as server:
        ran = user.run(*ADD, "--name", "x", "--address", server.url)

    assert ran.status == 0


def test_every_request_carries_the_token_and_the_headers_of_the_file(user: User) -> None:
    with api(lambda _asked: Reply(body=INDEX)) as server:
        user.run(
            *(*ADD, "--name", "x", "--address", f"{server.url}/base/"),
            *("--auth-type", "tokens", "--auth-conf", "token=t0k", "--headers", "x-team=a"),
            "--skip-check",
        )
        server.asked.clear()
        user.run("get", "meshes")

    assert [asked.target for asked in server.asked] == ["/base/", "/base/meshes"]
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer t0k"}
    assert {asked.headers["x-team"] for asked in server.asked} == {"a"}


@pytest.mark.parametrize(
    "content",
    ["[1]", "a: b: c", "---\n---\na: 1\n---\nb: 1\n", "controlPlanes: 5\n", "contexts: [1]\n"],
)
def test_a_damaged_file_is_reported_and_left_alone(content: str, user: User) -> None:
    user.configure(content)

    ran = user.run(*ADD, "--name", "x", "--address", "http://x", "--skip-check")

    assert ran.status == 2
    assert ran.err.startswith("Error: the configuration ")
    assert user.config.read_text() == content


def test_a_link_to_the_file_stays_a_link(user: User, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "kumactl"
    real.parent.mkdir()
    real.write_text(ORIGINAL)
    link = tmp_path / "link"
    link.symlink_to(real)

    user.run("--config-file", str(link), "config", "control-planes", "switch", "--name", "test1")

    assert link.is_symlink()
    assert yaml.safe_load(real.read_text()) == yaml.safe_load(ORIGINAL)
