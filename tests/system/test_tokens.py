"""Who may do what, from outside: the token made at the first start, anonymous remote clients,
revocation. A Host header of another name makes a request of this machine a remote one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import Answer, Daemon, eventually, running

pytestmark = pytest.mark.system

REMOTE = {"Host": "mesh.example"}
ADMIN_TOKEN = "/global-secrets/admin-user-token"
ANONYMOUS = "mesh-system:anonymous/mesh-system:unauthenticated"
ADMIN = {"name": "mesh-system:admin", "groups": ["mesh-system:admin", "mesh-system:authenticated"]}
ASKED = {
    "dataplane": {"name": "a", "mesh": "default", "validFor": "1h"},
    "zone": {"zone": "east", "scope": ["ingress"], "validFor": "1h"},
    "user": {"name": "john", "groups": ["team-a"], "validFor": "1h"},
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with running(tmp_path) as started:
        eventually("the first token", lambda: started.api("GET", ADMIN_TOKEN).status == 200)
        yield started


def bearer(token: str) -> dict[str, str]:
    return {**REMOTE, "Authorization": f"Bearer {token}"}


def admin_token(daemon: Daemon) -> str:
    data = daemon.api("GET", ADMIN_TOKEN).json["data"]
    assert isinstance(data, str)
    return base64.b64decode(data).decode()


def send(
    daemon: Daemon, method: str, path: str, body: object, headers: dict[str, str] | None = None
) -> Answer:
    given = {"Content-Type": "application/json", **(headers or {})}
    return daemon.api(method, path, given, json.dumps(body).encode())


def token(daemon: Daemon, kind: str = "user") -> str:
    answer = send(daemon, "POST", f"/tokens/{kind}", ASKED[kind])
    assert answer.status == 200, answer.body
    return answer.body.decode()


def token_id(text: str) -> str:
    payload = text.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]
    assert isinstance(found, str)
    return found


def test_the_first_token_is_the_administrators(daemon: Daemon) -> None:
    headers = bearer(admin_token(daemon))
    assert daemon.api("GET", "/who-am-i", headers).json == ADMIN
    assert daemon.api("GET", ADMIN_TOKEN, headers).status == 200
    mesh = {"type": "Mesh", "name": "m"}
    assert send(daemon, "PUT", "/meshes/m", mesh, headers).status == 201
    for kind, body in ASKED.items():
        answer = send(daemon, "POST", f"/tokens/{kind}", body, headers)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain")
    assert "saving generated Admin User Token" in daemon.stderr
    assert headers["Authorization"].removeprefix("Bearer ") not in daemon.stderr


def test_a_restart_makes_no_other_token(daemon: Daemon) -> None:
    first = admin_token(daemon)
    daemon.stop()
    daemon.start()
    assert admin_token(daemon) == first
    assert daemon.api("GET", "/who-am-i", bearer(first)).json == ADMIN


def test_anonymous_remote_clients_read_and_write_nothing(daemon: Daemon) -> None:
    assert daemon.api("GET", "/who-am-i", REMOTE).json["name"] == "mesh-system:anonymous"
    for path in ("/meshes", "/meshes/default", "/meshes/default/meshtimeouts", "/zones"):
        assert daemon.api("GET", path, REMOTE).status == 200
    for path, kind in (
        ("/global-secrets", "GlobalSecret"),
        (ADMIN_TOKEN, "GlobalSecret"),
        ("/meshes/default/secrets", "Secret"),
    ):
        refused(daemon.api("GET", path, REMOTE), f'the resource of type "{kind}"')
    mesh = {"type": "Mesh", "name": "m"}
    for name in ("m", "default"):
        body = {**mesh, "name": name}
        answer = send(daemon, "PUT", f"/meshes/{name}", body, REMOTE)
        refused(answer, 'the resource of type "Mesh"')
    deleted = daemon.api("DELETE", "/meshes/default", REMOTE)
    refused(deleted, 'the resource of type "Mesh"')
    assert daemon.api("GET", "/meshes/default").status == 200


def test_anonymous_remote_clients_get_no_tokens(daemon: Daemon) -> None:
    for kind, what in (
        ("dataplane", "generate dataplane token"),
        ("zone", "generate zone token for zone 'east'"),
    ):
        refused(send(daemon, "POST", f"/tokens/{kind}", ASKED[kind], REMOTE), what)
    answer = send(daemon, "POST", "/tokens/user", ASKED["user"], REMOTE)
    assert (answer.status, answer.json["detail"]) == (403, "action not allowed")


def test_a_user_is_who_the_token_says_until_it_is_revoked(daemon: Daemon) -> None:
    johns = token(daemon)
    assert daemon.api("GET", "/who-am-i", bearer(johns)).json == {
        "name": "john",
        "groups": ["team-a", "mesh-system:authenticated"],
    }
    answer = daemon.api("GET", ADMIN_TOKEN, bearer(johns))
    assert (answer.status, answer.json["title"]) == (403, "Access Denied")
    revoke(daemon, johns)
    unauthenticated(daemon.api("GET", "/who-am-i", bearer(johns)))
    unauthenticated(daemon.api("GET", "/meshes", bearer(johns)))
    assert daemon.api("GET", "/who-am-i", bearer(token(daemon))).status == 200


def test_a_token_of_another_kind_is_refused(daemon: Daemon) -> None:
    for foreign in (token(daemon, "zone"), token(daemon, "dataplane"), "no-token"):
        unauthenticated(daemon.api("GET", "/meshes", bearer(foreign)))


def test_a_token_that_proves_nothing_is_refused_on_this_machine_too(daemon: Daemon) -> None:
    unauthenticated(daemon.api("GET", "/who-am-i", {"Authorization": "Bearer no-token"}))
    assert daemon.api("GET", "/who-am-i").json == ADMIN


def test_no_first_token_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    off = {"KUMA_API_SERVER_AUTHN_TOKENS_BOOTSTRAP_ADMIN_TOKEN": "false"}
    with running(tmp_path, environment=off) as daemon:
        key = "/global-secrets/user-token-signing-key-1"
        eventually("the key of tokens", lambda: daemon.api("GET", key).status == 200)
        assert token(daemon)
        assert daemon.api("GET", ADMIN_TOKEN).status == 404


def revoke(daemon: Daemon, text: str) -> None:
    name = "user-token-revocations"
    data = base64.b64encode(token_id(text).encode() + b"\n").decode()
    body = {"type": "GlobalSecret", "name": name, "data": data}
    assert send(daemon, "PUT", f"/global-secrets/{name}", body).status == 201


def refused(answer: Answer, what: str) -> None:
    assert (answer.status, answer.json["title"]) == (403, "Access Denied")
    assert answer.json["detail"] == f'user "{ANONYMOUS}" cannot access {what}'


def unauthenticated(answer: Answer) -> None:
    assert (answer.status, answer.json["title"]) == (401, "Invalid authentication data")
    assert answer.json["detail"] == "Unauthenticated"


def test_a_token_of_a_nanosecond_proves_nothing_any_more(daemon: Daemon) -> None:
    asked = {"name": "john", "groups": ["team-a"], "validFor": "1ns"}
    issued = send(daemon, "POST", "/tokens/user", asked)
    assert issued.status == 200, issued.body
    assert daemon.api("GET", "/who-am-i", bearer(issued.body.decode())).status == 401


def test_forty_thousand_labels_are_answered_like_few(daemon: Daemon) -> None:
    labels = {f"label-{number}": "v" for number in range(40_000)}
    entry = {"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1h"}}
    spec = {"targetRef": {"kind": "Mesh"}, "to": [entry]}
    meta = {"type": "MeshTimeout", "mesh": "default", "name": "many", "labels": labels}
    body = {**meta, "spec": spec}
    written = send(daemon, "PUT", "/meshes/default/meshtimeouts/many", body)
    assert written.status == 201, written.body[:300]
    stored: dict[str, Any] = daemon.api("GET", "/meshes/default/meshtimeouts/many").json
    assert labels.items() <= stored["labels"].items()
