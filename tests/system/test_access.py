"""Who may do what, from outside: each rule of wire contract 5.5, over an address of the network."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kong_mesh_cp.core.identity.tokens import UserClaims
from kong_mesh_cp.core.resources.registry import TYPES
from support.daemon import Answer, Daemon, eventually, running
from support.identity import EAST, JOHN, WEB, compact, signing_key, token_for, token_of
from support.remote import EVERYWHERE, Remote, needs_network
from support.tls_peers import pair

pytestmark = [pytest.mark.system, needs_network]

ADMIN = {"name": "mesh-system:admin", "groups": ["mesh-system:admin", "mesh-system:authenticated"]}
ANONYMOUS = {"name": "mesh-system:anonymous", "groups": ["mesh-system:unauthenticated"]}
ANONYMOUS_SHOWN = "mesh-system:anonymous/mesh-system:unauthenticated"
OPERATOR = UserClaims(name="operator", groups=("mesh-system:admin",))
MESH = b'{"type":"Mesh","name":"m"}'
OFFLINE = "offline"  # the kid of a key whose private half is here and not there
NOW = datetime.now(UTC)


def offline_keys(folder: Path) -> str:
    """A configuration file that trusts the key OFFLINE for users; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    public = folder / "offline.pub"
    public.write_bytes(signing_key(5).verifier.pem())
    entry = f'{{kid = "{OFFLINE}", keyFile = "{public}"}}'
    file = folder / "kong-mesh-cp.toml"
    file.write_text(f"[apiServer.authn.tokens.validator]\npublicKeys = [{entry}]\n")
    return os.fspath(file)


def offline_token(claims: UserClaims = OPERATOR, **changes: object) -> str:
    given: dict[str, object] = {"key": 5, "kid": OFFLINE, "now": NOW, **changes}
    return token_for(claims, **given)  # type: ignore[arg-type]


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


def denied(answer: Answer, what: str, who: str = ANONYMOUS_SHOWN) -> None:
    assert (answer.status, answer.json["title"]) == (403, "Access Denied")
    assert answer.json["detail"] == f'user "{who}" cannot access {what}'


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
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_what_a_proxy_or_a_foreign_page_sends_is_anonymous(
    daemon: Daemon, headers: Mapping[str, str]
) -> None:
    assert daemon.api("GET", "/who-am-i", headers).json == ANONYMOUS
    given = {"Content-Type": "application/json", **headers}
    denied(daemon.api("PUT", "/meshes/m", given, MESH), 'the resource of type "Mesh"')


@pytest.mark.parametrize("origin", ["http://localhost:5681", "http://127.0.0.1:5681"])
def test_a_page_of_this_machine_is_its_administrator(daemon: Daemon, origin: str) -> None:
    assert daemon.api("GET", "/who-am-i", {"Origin": origin}).json == ADMIN


def test_a_client_of_the_network_cannot_say_that_it_is_local(remote: Remote) -> None:
    for headers in ({"Host": "localhost"}, {"Host": "127.0.0.1"}, {"Origin": "http://localhost"}):
        answer = remote.ask("GET", "/who-am-i", headers=headers)
        assert answer.json == ANONYMOUS


def test_no_token_makes_this_machine_less_or_more(daemon: Daemon) -> None:
    for token in ("no-token", offline_token(JOHN)):
        headers = {"Authorization": f"Bearer {token}"}
        assert daemon.api("GET", "/who-am-i", headers).json == ADMIN


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
def test_other_schemes_are_nobodys_proof(remote: Remote, header: str) -> None:
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


# Settings


def test_where_localhost_is_nobody_only_tokens_count(tmp_path: Path) -> None:
    off = {"KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN": "false"}
    with running(
        tmp_path / "d", "--config-file", offline_keys(tmp_path), environment=off
    ) as daemon:
        assert daemon.api("GET", "/who-am-i").json == ANONYMOUS
        headers = {"Authorization": f"Bearer {offline_token()}"}
        assert daemon.api("GET", "/who-am-i", headers).json["name"] == "operator"
        assert daemon.api("GET", "/license?view=full", headers).status == 200


def test_lists_of_the_settings_are_who_may(tmp_path: Path) -> None:
    lists = {
        "KUMA_ACCESS_STATIC_CONTROL_PLANE_METADATA_GROUPS": "mesh-system:admin",
        "KUMA_ACCESS_STATIC_GENERATE_ZONE_TOKEN_GROUPS": "team-a",
        "KMESH_RBAC_STATIC_GENERATE_CP_TOKEN_USERS": "mary",
        **EVERYWHERE,
    }
    flags = ("--config-file", offline_keys(tmp_path))
    with running(tmp_path / "d", *flags, environment=lists) as daemon:
        key = "/global-secrets/zone-token-signing-key-1"
        eventually("the key of zones", lambda: daemon.api("GET", key).status == 200)
        denied(Remote(daemon).get("/config"), "control-plane metadata")
        assert Remote(daemon, offline_token()).get("/config").status == 200
        john = Remote(daemon, offline_token(JOHN))
        mary = Remote(daemon, offline_token(UserClaims(name="mary", groups=())))
        for user, scope, status in (
            (john, ["ingress"], 200),
            (john, ["cp"], 403),
            (john, ["ingress", "cp"], 403),
            (mary, ["cp"], 200),
            (mary, ["ingress"], 403),
        ):
            body = json.dumps({"zone": "east", "scope": scope, "validFor": "1h"}).encode()
            assert user.ask("POST", "/tokens/zone", body).status == status, (user.token, scope)


def test_what_is_signed_elsewhere_is_not_signed_here(tmp_path: Path) -> None:
    file = Path(offline_keys(tmp_path))
    text = file.read_text().replace("publicKeys", "useSecrets = false\npublicKeys")
    file.write_text(
        f"{text}\n[apiServer.authn.tokens]\nenableIssuer = false\n"
        "[dpServer.authn.dpProxy.dpToken]\nenableIssuer = false\n"
        "[dpServer.authn.zoneProxy.zoneToken]\nenableIssuer = false\n"
    )
    with running(tmp_path / "d", "--config-file", str(file), environment=EVERYWHERE) as daemon:
        mesh = "/meshes/default"
        eventually("the first mesh", lambda: daemon.api("GET", mesh).status == 200)
        for kind, asked in (
            ("user", {"name": "john", "validFor": "1h"}),
            ("dataplane", {"mesh": "default", "validFor": "1h"}),
            ("zone", {"zone": "east", "scope": ["cp"], "validFor": "1h"}),
        ):
            headers = {"Content-Type": "application/json"}
            refused = daemon.api("POST", f"/tokens/{kind}", headers, json.dumps(asked).encode())
            assert (refused.status, refused.json["title"]) == (400, "Could not issue a token")
            expected = "issuing tokens using the control plane is disabled."
            assert refused.json["detail"] == expected
        remote = Remote(daemon, offline_token())
        assert remote.get("/who-am-i").json["name"] == "operator"
        names = [each["name"] for each in items(daemon, "/global-secrets")]
        assert not [name for name in names if "user-token" in str(name)]


def items(daemon: Daemon, path: str) -> list[dict[str, object]]:
    found = daemon.api("GET", path).json["items"]
    assert isinstance(found, list)
    return found


# Certificates


def trusting(daemon: Daemon) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=daemon.state / "kuma-cp.crt")


def test_administrators_may_be_known_by_certificates(tmp_path: Path) -> None:
    clients = tmp_path / "clients"
    clients.mkdir()
    pair("operator").write(tmp_path)
    (clients / "operator.crt").write_bytes(pair("operator").certificate)
    by_certificate = {
        "KUMA_API_SERVER_AUTHN_TYPE": "adminClientCerts",
        "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR": str(clients),
        **EVERYWHERE,
    }
    flags = ("--config-file", offline_keys(tmp_path))
    with running(tmp_path / "d", *flags, environment=by_certificate) as daemon:
        known = trusting(daemon)
        known.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        remote = Remote(daemon)
        assert remote.get("/who-am-i", known).json == ADMIN
        assert remote.ask("PUT", "/meshes/m", MESH, tls=known).status == 201
        assert remote.get("/license?view=full", known).status == 200
        assert remote.get("/who-am-i", trusting(daemon)).json == ANONYMOUS
        # Tokens are not looked at: neither good nor bad ones make a difference.
        for token in (offline_token(), "no-token"):
            assert Remote(daemon, token).get("/who-am-i").json == ANONYMOUS
            assert Remote(daemon, token).get("/who-am-i", known).json == ADMIN
        assert daemon.api("GET", "/who-am-i").json == ADMIN
        assert daemon.api("GET", "/global-secrets/admin-user-token").status == 404


def test_where_tokens_count_a_certificate_makes_nobody_an_administrator(tmp_path: Path) -> None:
    pair("operator").write(tmp_path)
    asked = {
        "KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE": str(tmp_path / "server.crt"),
        **EVERYWHERE,
    }
    with running(tmp_path / "d", environment=asked) as daemon:
        known = trusting(daemon)
        known.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        assert Remote(daemon).get("/who-am-i", known).json == ANONYMOUS


# kumactl


def kumactl(home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kumactl", *arguments],
        env={**os.environ, "HOME": str(home)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_kumactl_is_an_administrator_over_https_with_its_certificate(tmp_path: Path) -> None:
    made = kumactl(
        tmp_path, "generate", "tls-certificate", "--type=client", "--hostname=operator",
        f"--key-file={tmp_path / 'op.key'}", f"--cert-file={tmp_path / 'op.crt'}",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (tmp_path / "clients").mkdir()
    (tmp_path / "clients" / "op.crt").write_bytes((tmp_path / "op.crt").read_bytes())
    by_certificate = {
        "KUMA_API_SERVER_AUTHN_TYPE": "adminClientCerts",
        "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR": str(tmp_path / "clients"),
        "KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT": "true",
        **EVERYWHERE,
    }
    with running(tmp_path / "d", environment=by_certificate) as daemon:
        url = Remote(daemon).url("api-https")
        add = ["config", "control-planes", "add", f"--address={url}"]
        authority = f"--ca-cert-file={daemon.state / 'kuma-cp.crt'}"
        own = [f"--client-cert-file={tmp_path / 'op.crt'}",
               f"--client-key-file={tmp_path / 'op.key'}"]  # fmt: skip
        untrusted = kumactl(tmp_path, *add, "--name=a", *own)
        assert untrusted.returncode != 0
        assert "is not trusted" in untrusted.stderr
        stranger = kumactl(tmp_path, *add, "--name=b", authority)
        assert stranger.returncode != 0
        added = kumactl(tmp_path, *add, "--name=c", authority, *own)
        assert added.returncode == 0, added.stderr
        applied = kumactl(tmp_path, "apply", "-f", "-", stdin=MESH.decode())
        assert applied.returncode == 0, applied.stderr
        assert "m " in kumactl(tmp_path, "get", "meshes").stdout


def test_kumactl_is_a_user_by_a_token_that_it_signed_itself(tmp_path: Path) -> None:
    key = kumactl(tmp_path, "generate", "signing-key", "--format=pem")
    (tmp_path / "key.pem").write_text(key.stdout)
    public = kumactl(tmp_path, "generate", "public-key", f"--signing-key-path={tmp_path}/key.pem")
    (tmp_path / "key.pub").write_text(public.stdout)
    file = tmp_path / "kuma-cp.yaml"
    file.write_text(
        "apiServer:\n  authn:\n    tokens:\n      enableIssuer: false\n      validator:\n"
        "        useSecrets: false\n        publicKeys:\n        - kid: key-1\n"
        f"          keyFile: {tmp_path}/key.pub\n"
    )
    with running(tmp_path / "d", "--config-file", str(file), environment=EVERYWHERE) as daemon:
        signed = kumactl(
            tmp_path, "generate", "user-token", "--name=john", "--group=mesh-system:admin",
            "--valid-for=1h", f"--signing-key-path={tmp_path}/key.pem", "--kid=key-1",
        )  # fmt: skip
        assert signed.returncode == 0, signed.stderr
        added = kumactl(
            tmp_path, "config", "control-planes", "add", "--name=remote", "--auth-type=tokens",
            f"--address={Remote(daemon).url()}", f"--auth-conf=token={signed.stdout.strip()}",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        applied = kumactl(tmp_path, "apply", "-f", "-", stdin=MESH.decode())
        assert applied.returncode == 0, applied.stderr
        refused = kumactl(tmp_path, "generate", "user-token", "--name=x", "--valid-for=1h")
        assert "issuing tokens using the control plane is disabled" in refused.stderr
