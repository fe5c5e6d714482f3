"""Who may do what, from outside: each rule of access, over an address of the network.

Source: docs/wire/tokens.md#users, docs/wire/tokens.md#static-access
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest

from kong_mesh_cp.core.identity.tokens import UserClaims
from kong_mesh_cp.core.resources.registry import TYPES
from support.daemons.daemon import Answer, Daemon, eventually, running
from support.daemons.remote import EVERYWHERE, Remote, needs_network
from support.fakes.identity import EAST, JOHN, WEB, compact, token_for, token_of
from support.fakes.offline_users import (
    ADMIN,
    ANONYMOUS,
    MESH,
    NOW,
    OFFLINE,
    denied,
    offline_keys,
    offline_token,
)

pytestmark = [pytest.mark.system, needs_network]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("d")
    flags = ("--config-file", offline_keys(folder / "etc"))
    with running(folder / "d", *flags, environment=EVERYWHERE) as started:
        made = "/global-secrets/admin-user-token"
        eventually("the first token", lambda: started.api("GET", made).status == 200)
        yield started


@pytest.fixture
def remote(daemon: Daemon) -> Remote:
    return Remote(daemon)


def unauthenticated(answer: Answer) -> None:
    body = answer.json
    assert (answer.status, body["title"]) == (401, "Invalid authentication data")
    assert body["detail"] == body["details"] == "Unauthenticated"
    assert answer.headers["Content-Type"] == "application/json"


# 1. This machine


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5681", "127.0.0.1", "127.8.9.10", "[::1]"]
)
def test_who_asks_from_this_machine_for_this_machine_is_the_administrator(
    daemon: Daemon, host: str
) -> None:
    assert daemon.api("GET", "/who-am-i", {"Host": host}).json == ADMIN


def test_so_it_is_on_the_port_with_tls(daemon: Daemon) -> None:
    assert daemon.https("/who-am-i").json == ADMIN


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "mesh.example"},
        {"Host": "localhost.mesh.example"},
        {"Host": "127.0.0.1.nip.example"},
        {"Host": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "::1"},
        {"Via": "1.1 gateway"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"Forwarded-For": "127.0.0.1"},
        {"X-Client-IP": "127.0.0.1"},
        {"True-Client-IP": "127.0.0.1"},
        {"CF-Connecting-IP": "127.0.0.1"},
        {"X-Envoy-External-Address": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "tauri://localhost"},
        {"Referer": "http://localhost:3000/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
def test_what_a_proxy_or_a_foreign_page_sends_is_anonymous(
    daemon: Daemon, headers: Mapping[str, str]
) -> None:
    assert daemon.api("GET", "/who-am-i", headers).json == ANONYMOUS
    given = {"Content-Type": "application/json", **headers}
    denied(daemon.api("PUT", "/meshes/m", given, MESH), 'the resource of type "Mesh"')


def test_only_a_page_of_our_own_address_is_the_administrators(daemon: Daemon) -> None:
    own = daemon.addresses["api"]
    assert daemon.api("GET", "/who-am-i", {"Origin": own, "Referer": f"{own}/x"}).json == ADMIN
    by_name = own.replace("127.0.0.1", "localhost")
    assert daemon.api("GET", "/who-am-i", {"Origin": by_name}).json == ANONYMOUS
    secure = own.replace("http://", "https://")
    assert daemon.api("GET", "/who-am-i", {"Origin": secure}).json == ANONYMOUS


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://gui.example", "null"])
@pytest.mark.parametrize("path", ["/global-secrets", "/global-secrets/admin-user-token"])
def test_no_page_of_another_origin_gets_secrets_whoever_asks(
    daemon: Daemon, path: str, origin: str
) -> None:
    operator = Remote(daemon, offline_token())
    assert operator.get(path).status == 200
    refused = operator.ask("GET", path, headers={"Origin": origin})
    assert (refused.status, refused.json["title"]) == (403, "Access Denied")
    assert "another origin" in str(refused.json["detail"])
    asked = b'{"name":"mary","groups":[],"validFor":"1h"}'
    assert operator.ask("POST", "/tokens/user", asked, {"Origin": origin}).status == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://gui.example", "null"])
def test_no_page_of_another_origin_may_read_anything_as_it_comes(
    daemon: Daemon, origin: str
) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        answer = daemon.api(method, "/meshes/default", headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_no_answer_is_kept_or_taken_for_a_page(daemon: Daemon) -> None:
    for path in (
        "/", "/config", "/license?view=full", "/global-secrets/admin-user-token", "/meshes",
        "/no-such-path", "/meshes/no-such-mesh", "/api-docs/openapi.json",
    ):  # fmt: skip
        answer = daemon.api("GET", path)
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "html" not in answer.headers["Content-Type"], path


def test_a_client_of_the_network_cannot_say_that_it_is_local(remote: Remote) -> None:
    for headers in ({"Host": "localhost"}, {"Host": "127.0.0.1"}, {"Origin": "http://localhost"}):
        answer = remote.ask("GET", "/who-am-i", headers=headers)
        assert answer.json == ANONYMOUS


def test_a_token_counts_on_this_machine_as_from_elsewhere(daemon: Daemon, remote: Remote) -> None:
    headers = {"Authorization": f"Bearer {offline_token(JOHN)}"}
    assert daemon.api("GET", "/who-am-i", headers).json["name"] == "john"
    assert remote.ask("GET", "/who-am-i", headers=headers).json["name"] == "john"

    headers = {"Authorization": "Bearer no-token"}
    here = daemon.api("GET", "/who-am-i", headers)
    assert (here.status, here.json["title"]) == (401, "Invalid authentication data")
    assert here.json == remote.ask("GET", "/who-am-i", headers=headers).json
    assert here.json["code"] == "token-malformed"
    assert str(here.json["reason"]).startswith("token is malformed")
    assert "kumactl generate user-token" in str(here.json["hint"])
    assert b"no-token" not in here.body


# 2. Tokens


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_client_of_the_network_is_who_its_token_says(remote: Remote, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {offline_token(JOHN)}"}
    assert remote.ask("GET", "/who-am-i", headers=headers).json == {
        "name": "john",
        "groups": ["team-a", "team-b", "mesh-system:authenticated"],
    }


def test_a_token_cannot_say_that_its_bearer_is_anonymous(daemon: Daemon) -> None:
    nobody = UserClaims(name="n", groups=("mesh-system:unauthenticated",))
    answer = Remote(daemon, offline_token(nobody)).get("/who-am-i")
    assert answer.json == {"name": "n", "groups": ["mesh-system:authenticated"]}


def test_a_remote_administrator_does_what_a_local_one_does(daemon: Daemon) -> None:
    remote = Remote(daemon, offline_token())
    assert remote.get("/config").status == 200
    assert "seats" in remote.get("/license?view=full").json
    assert remote.ask("POST", "/license/reload").status == 200
    assert remote.get("/global-secrets/admin-user-token").status == 200
    assert (
        remote.ask("PUT", "/meshes/of-operator", MESH.replace(b'"m"', b'"of-operator"')).status
        == 201
    )
    asked = b'{"name":"mary","groups":[],"validFor":"1h"}'
    marys = remote.ask("POST", "/tokens/user", asked).body.decode()
    assert Remote(daemon, marys).get("/who-am-i").json["name"] == "mary"


def test_who_is_known_and_no_administrator_writes_what_is_no_secret(daemon: Daemon) -> None:
    john = Remote(daemon, offline_token(JOHN))
    who = "john/team-a,team-b,mesh-system:authenticated"
    assert john.ask("PUT", "/meshes/m", MESH).status in {200, 201}
    denied(john.get("/global-secrets"), 'the resource of type "GlobalSecret"', who)
    denied(john.get("/license?view=full"), "the full license", who)
    denied(john.ask("POST", "/license/reload"), "the reload of the license", who)
    role = b'{"type":"AccessRole","name":"r","rules":[{"access":["CREATE"]}]}'
    denied(john.ask("PUT", "/access-roles/r", role), 'the resource of type "AccessRole"', who)
    asked = b'{"zone":"east","scope":["cp"],"validFor":"1h"}'
    what = "generate zone token for zone 'east'"
    denied(john.ask("POST", "/tokens/zone", asked), what, who)


BAD_TOKENS: Mapping[str, Callable[[], str]] = {
    "garbage": lambda: "no-token",
    "nothing": lambda: "",
    "expired": lambda: offline_token(now=NOW - timedelta(hours=25)),
    "not valid yet": lambda: offline_token(now=NOW + timedelta(hours=1)),
    "signed by another key": lambda: offline_token(key=6),
    "of an unknown key": lambda: offline_token(kid="another"),
    "of a zone": lambda: token_for(EAST, key=5, kid=OFFLINE, now=NOW),
    "of a proxy": lambda: token_for(WEB, key=5, kid=OFFLINE, now=NOW),
    "unsigned": lambda: compact({"alg": "none", "kid": OFFLINE}, {"Name": "x"}, None),
    "without a name": lambda: token_of({"Groups": ["mesh-system:admin"]}, key=5, kid=OFFLINE),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_that_proves_nothing_is_refused_everywhere(daemon: Daemon, kind: str) -> None:
    remote = Remote(daemon, BAD_TOKENS[kind]())
    for path in ("/who-am-i", "/meshes", "/config", "/license", "/_resources", "/no-such-path"):
        unauthenticated(remote.get(path))
    unauthenticated(remote.ask("PUT", "/meshes/m", MESH))
    unauthenticated(remote.ask("PUT", "/meshes/m", b"", {"Content-Type": "text/plain"}))
    unauthenticated(remote.ask("POST", "/tokens/user", b"{}"))


def test_nobody_is_asked_at_the_index(daemon: Daemon) -> None:
    assert Remote(daemon, "no-token").get("/").json["product"] == "Kong Mesh"


@pytest.mark.parametrize("header", ["Basic am9objpzZWNyZXQ=", "Negotiate x", "x"])
def test_other_authorization_schemes_prove_nothing(remote: Remote, header: str) -> None:
    answer = remote.ask("GET", "/who-am-i", headers={"Authorization": header})
    assert answer.json == ANONYMOUS


# 3. Everybody else


def test_anonymous_clients_read_what_kuma_lets_them_read(remote: Remote) -> None:
    assert remote.get("/who-am-i").json == ANONYMOUS
    for path in ("/", "/config", "/license", "/_resources", "/policies", "/global-insight"):
        assert remote.get(path).status == 200, path
    for row in TYPES.values():
        if not row.path or row.virtual:
            continue
        below = f"/meshes/default/{row.path}" if row.is_mesh_scoped else f"/{row.path}"
        answer = remote.get(below)
        if row.name in {"Secret", "GlobalSecret"}:
            denied(answer, f'the resource of type "{row.name}"')
        else:
            assert answer.status in {200, 404}, below  # 404: a type that this version has not


def test_anonymous_clients_write_nothing(remote: Remote) -> None:
    before = remote.get("/meshes/default").body
    for row in TYPES.values():
        if not row.path:
            continue
        below = f"/meshes/default/{row.path}" if row.is_mesh_scoped else f"/{row.path}"
        document = {"type": row.name, "name": "x", "mesh": "default"}
        for method, body in (("PUT", json.dumps(document).encode()), ("DELETE", None)):
            assert remote.ask(method, f"{below}/x", body).status >= 400, (method, below)
    denied(remote.ask("DELETE", "/meshes/default"), 'the resource of type "Mesh"')
    denied(remote.ask("PUT", "/meshes/other", MESH.replace(b'"m"', b'"other"')),
           'the resource of type "Mesh"')  # fmt: skip
    assert remote.get("/meshes/default").body == before
    assert remote.get("/meshes/other").status == 404


def test_anonymous_clients_get_no_tokens_and_no_license(remote: Remote) -> None:
    asked = b'{"name":"a","mesh":"default","validFor":"1h"}'
    denied(remote.ask("POST", "/tokens/dataplane", asked), "generate dataplane token")
    for scope in ("ingress", "cp"):
        asked = json.dumps({"zone": "east", "scope": [scope], "validFor": "1h"}).encode()
        what = "generate zone token for zone 'east'"
        denied(remote.ask("POST", "/tokens/zone", asked), what)
    refused = remote.ask("POST", "/tokens/user", b'{"name":"a","validFor":"1h"}')
    assert (refused.status, refused.json["detail"]) == (403, "action not allowed")
    denied(remote.get("/license?view=full"), "the full license")
    denied(remote.ask("POST", "/license/reload"), "the reload of the license")
