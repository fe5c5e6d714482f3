"""Other proofs and other lists than the default ones, from outside: settings of who may do what,
keys and certificates from elsewhere, and kumactl with them.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.identity.tokens import UserClaims
from support.daemons.daemon import Daemon, eventually, running
from support.daemons.remote import EVERYWHERE, Remote, needs_network
from support.daemons.tls_peers import pair
from support.fakes.identity import JOHN
from support.fakes.offline_users import ADMIN, ANONYMOUS, MESH, denied, offline_keys, offline_token
from support.suites.patience import HANG_SECONDS

pytestmark = [pytest.mark.system, needs_network]


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
        # A browser shows its certificate for whatever page asks.
        for says in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            denied(
                remote.ask("POST", "/license/reload", headers=says, tls=known),
                "the reload of the license",
            )
        own = {"Origin": remote.url("api-https"), "Sec-Fetch-Site": "same-origin"}
        assert remote.ask("POST", "/license/reload", headers=own, tls=known).status == 200


def test_pages_of_an_allowed_origin_read_what_is_no_secret_and_are_no_administrators(
    tmp_path: Path,
) -> None:
    allowed = {"KUMA_API_SERVER_CORS_ALLOWED_DOMAINS": r"http://localhost:\d+"}
    with running(tmp_path / "d", environment=allowed) as daemon:
        made = "/global-secrets/admin-user-token"
        eventually("the first token", lambda: daemon.api("GET", made).status == 200)
        page = {"Origin": "http://localhost:3000"}
        answer = daemon.api("GET", "/who-am-i", page)
        assert answer.json == ANONYMOUS
        assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert daemon.api("GET", made, page).status == 403
        other = daemon.api("GET", "/who-am-i", {"Origin": "http://localhost:3000.evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert answer.headers["Vary"] == other.headers["Vary"] == "Origin"


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
        timeout=HANG_SECONDS,
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
