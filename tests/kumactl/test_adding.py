"""`kumactl config control-planes add` with a token: who that makes one, or why it is no good."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from support.daemons.kuma_api import INDEX, Answering, Asked, Reply, api, not_found, refusal
from support.daemons.kumactl_runs import NOW, User

ADD = ("config", "control-planes", "add")


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def _token(*, name: str = "john", valid: timedelta = timedelta(hours=1), **more: object) -> str:
    claims = {"Name": name, "Groups": [], "exp": int((NOW + valid).timestamp()), **more}
    parts = (json.dumps({"alg": "RS256"}), json.dumps(claims), "signature")
    return ".".join(base64.urlsafe_b64encode(each.encode()).decode().rstrip("=") for each in parts)


def _taking_for(name: str) -> Answering:
    def answer(asked: Asked) -> Reply:
        who = {"name": name, "groups": []}
        return Reply(body=who if asked.path == "/who-am-i" else INDEX)

    return answer


def _refusing_tokens(asked: Asked) -> Reply:
    if asked.path == "/":
        return Reply(body=INDEX)
    return refusal(401, "Invalid authentication data", "Unauthenticated")


@pytest.mark.parametrize("answer", [_taking_for("mesh-system:admin"), _refusing_tokens])
@pytest.mark.parametrize(
    ("token", "said"),
    [
        (_token(valid=timedelta(hours=-1)), "it expired at 2026-01-01T11:00:00Z"),
        (_token(nbf=int(NOW.timestamp()) + 60), "it is not good before 2026-01-01T12:01:00Z"),
        (_token(Zone="east"), "it is a zone token, and the API takes user tokens"),
        (_token(Mesh="default"), "it is a data plane token, and the API takes user tokens"),
        ("nonsense", "it is none: a token has three parts"),
        ("a.b.c", "it is none: a token has three parts"),
    ],
)
def test_a_worthless_token_is_not_added_but_told_with_its_fault(
    answer: Answering, token: str, said: str, user: User
) -> None:
    with api(answer) as server:
        ran = user.run(
            *(*ADD, "--name", "x", "--address", server.url),
            *("--auth-type", "tokens", "--auth-conf", "token=@-"),
            stdin=token.encode(),
        )

    assert ran.status != 0
    assert ran.out == ""
    assert said in ran.err
    assert "kumactl generate user-token" in ran.err
    assert token not in ran.err
    assert not user.config.exists()


def test_a_token_that_only_the_control_plane_knows_to_be_bad_is_not_added(user: User) -> None:
    with api(_refusing_tokens) as server:
        ran = user.run(
            *(*ADD, "--name", "x", "--address", server.url),
            *("--auth-type", "tokens", "--auth-conf", "token=@-"),
            stdin=_token().encode(),
        )

    assert ran.status == 1
    assert ran.err.startswith(
        "Error: Invalid authentication data (Unauthenticated). The token: it is revoked, or signed"
        " by a key that this control plane does not have. "
    )
    assert not user.config.exists()


def test_a_token_that_expires_later_is_told_by_every_command(user: User) -> None:
    with api(_refusing_tokens) as server:
        user.run(
            *(*ADD, "--name", "x", "--address", server.url, "--skip-check"),
            *("--auth-type", "tokens", "--auth-conf", "token=@-"),
            stdin=_token().encode(),
        )
        ran = user.run("get", "zones", now=NOW + timedelta(days=1))

    assert ran.status == 1
    assert "The token: it expired at 2026-01-01T13:00:00Z. Have a new one made" in ran.err


@pytest.mark.parametrize("given", ["tokens", "headers"])
def test_one_who_is_taken_for_somebody_else_is_told(given: str, user: User) -> None:
    proof = {
        "tokens": ("--auth-type", "tokens", "--auth-conf", "token=@-"),
        "headers": ("--headers", "authorization=@-"),
    }

    with api(_taking_for("mesh-system:anonymous")) as server:
        ran = user.run(
            *(*ADD, "--name", "x", "--address", server.url, *proof[given]),
            stdin=_token().encode(),
        )

    assert ran.status == 0
    assert ran.err.startswith(
        "WARNING: the control plane takes you for mesh-system:anonymous"
        + (", not for john:" if given == "tokens" else ":")
    )


def test_a_control_plane_that_does_not_say_who_one_is_is_added(user: User) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body=INDEX) if asked.path == "/" else not_found()

    with api(answer) as server:
        ran = user.run(
            *(*ADD, "--name", "x", "--address", server.url),
            *("--auth-type", "tokens", "--auth-conf", "token=@-"),
            stdin=_token().encode(),
        )

    assert (ran.status, ran.err) == (0, "")


@pytest.mark.parametrize(
    "argv", [(*ADD, "--overwrite", "--name", "here", "--address", "{url}"), ("get", "meshes")]
)
def test_the_port_of_diagnostics_is_called_so(argv: tuple[str, ...], tmp_path: Path) -> None:
    def diagnostics(asked: Asked) -> Reply:
        if asked.path == "/healthy":
            return Reply(200, b"OK", {"content-type": "text/plain"})
        return Reply(404, b"404: Page Not Found", {"content-type": "text/plain"})

    with api(diagnostics) as server:
        ran = User(tmp_path, server.url).run(*(each.format(url=server.url) for each in argv))

    assert ran.status == 3
    assert (
        f"{server.url} is the port of diagnostics, not of the API. The API is at port 5681, or"
        " 5682 for https, unless configured otherwise"
    ) in ran.err


def test_adding_looks_without_token_whether_a_control_plane_is_there(user: User) -> None:
    with api(_taking_for("john")) as server:
        ran = user.run(
            *(*ADD, "--name", "x", "--address", server.url),
            *("--auth-type", "tokens", "--auth-conf", f"token={_token()}", "--headers", "k=v"),
        )

    assert ran.status == 0
    assert [asked.target for asked in server.asked] == ["/", "/who-am-i"]
    assert not {"authorization", "k"} & server.asked[0].headers.keys()
