"""`kumactl generate`: tokens by the server and offline, keys, certificates."""

from __future__ import annotations

import base64
import json
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.daemons.kuma_api import INDEX, Asked, Reply, api, refusal
from support.daemons.kumactl_runs import NOW, User

NO_TIME = "You must set a token validFor value: how long it is good, such as 24h"


def _issuer(asked: Asked) -> Reply:
    if asked.path == "/":
        return Reply(body=INDEX)
    return Reply(body=b"aaa.bbb.ccc", headers={"content-type": "text/plain"})


@pytest.mark.parametrize(
    ("argv", "path", "body"),
    [
        (
            "dataplane-token --mesh demo --name web-1 --valid-for 24h",
            "/tokens/dataplane",
            {"name": "web-1", "mesh": "demo", "tags": {}, "type": "", "validFor": "24h0m0s"},
        ),
        (
            "dataplane-token --tag a=web,web-api --tag v=1 --proxy-type ingress --valid-for 90s",
            "/tokens/dataplane",
            {
                "name": "",
                "mesh": "default",
                "tags": {"a": ["web", "web-api"], "v": ["1"]},
                "type": "ingress",
                "validFor": "1m30s",
            },
        ),
        (
            "zone-token --zone east --valid-for 720h",
            "/tokens/zone",
            {"zone": "east", "scope": ["ingress", "egress"], "validFor": "720h0m0s"},
        ),
        (
            "zone-token --zone east --scope cp --scope egress,ingress --valid-for 1h",
            "/tokens/zone",
            {"zone": "east", "scope": ["cp", "egress", "ingress"], "validFor": "1h0m0s"},
        ),
        (
            "user-token --name john --group a --group b --valid-for 24h",
            "/tokens/user",
            {"name": "john", "groups": ["a", "b"], "validFor": "24h0m0s"},
        ),
    ],
)
def test_the_control_plane_issues_tokens(
    argv: str, path: str, body: dict[str, Any], tmp_path: Path
) -> None:
    with api(_issuer) as server:
        ran = User(tmp_path, server.url).run("generate", *argv.split())

    # Without a newline: the output goes into files and variables as it is.
    assert (ran.status, ran.out, ran.err) == (0, "aaa.bbb.ccc", "")
    assert server.lines() == [f"POST {path}"]
    assert server.asked[-1].json == body
    assert server.asked[-1].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (
            refusal(403, "Access Denied", 'user "a" cannot access generate dataplane token'),
            1,
            'Error: Access Denied (user "a" cannot access generate dataplane token)\n',
        ),
        (
            refusal(400, "Invalid request", "Resource is not valid", validFor="is invalid"),
            1,
            "Error: Invalid request (Resource is not valid)\n* validFor: is invalid\n",
        ),
        (Reply(400, b""), 1, "Error: unexpected answer, HTTP status 400: \n"),
        (Reply(body=b""), 3, "answered with no token\n"),
        (Reply(body=b"a\x1b[2Jb"), 3, "answered with no token\n"),
    ],
)
def test_no_token_no_output(reply: Reply, status: int, said: str, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body=INDEX) if asked.path == "/" else reply

    with api(answer) as server:
        ran = User(tmp_path, server.url).run("generate", "dataplane-token", "--valid-for", "1h")

    assert (ran.status, ran.out) == (status, "")
    assert ran.err.endswith(said)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (
            "zone-token --zone a --scope nope --valid-for 1h",
            "invalid --scope values: [nope] (supported scopes: [ingress egress cp])",
        ),
        (
            "zone-token --zone a --scope egress,x --scope y --valid-for 1h",
            "invalid --scope values: [x y] (supported scopes: [ingress egress cp])",
        ),
        ("zone-token --zone a --valid-for 0s", NO_TIME),
        ("zone-token --zone a --valid-for 0", NO_TIME),
        ("user-token --name a --valid-for 0s", NO_TIME),
        ("dataplane-token --valid-for 0m", NO_TIME),
        ("user-token --name a --valid-for 999ms", "--valid-for is at least 1s"),
        ("zone-token --zone a --valid-for=-1h", "--valid-for is at least 1s"),
    ],
)
@pytest.mark.parametrize("offline", [False, True])
def test_a_token_that_would_be_good_for_nothing_is_not_made(
    argv: str, said: str, tmp_path: Path, *, offline: bool
) -> None:
    key = ("--signing-key-path", "/nonexistent", "--kid", "1") if offline else ()

    with api(_issuer) as server:
        ran = User(tmp_path, server.url).run("generate", *argv.split(), *key)

    assert (ran.status, ran.out, ran.err) == (2, "", f"Error: {said}\n")
    assert server.asked == []


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    path = folder / "key.pem"
    path.write_text(User(folder).run("generate", "signing-key", "--format", "pem").out)
    return path


def _decoded(part: str) -> dict[str, Any]:
    value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("argv", "claims"),
    [
        (
            "dataplane-token --mesh demo --name web-1 --tag a=b,c",
            {"Name": "web-1", "Mesh": "demo", "Tags": {"a": ["b", "c"]}, "Type": ""},
        ),
        ("dataplane-token", {"Name": "", "Mesh": "default", "Tags": None, "Type": ""}),
        ("zone-token --zone west --scope cp", {"Zone": "west", "Scope": ["cp"]}),
        ("user-token --name john --group a", {"Name": "john", "Groups": ["a"]}),
    ],
)
def test_a_token_signed_offline_is_one_that_the_control_plane_takes(
    argv: str, claims: dict[str, Any], key_file: Path, tmp_path: Path
) -> None:
    offline = ("--valid-for", "24h", "--kid", "2", "--signing-key-path", str(key_file))

    ran = User(tmp_path, "http://127.0.0.1:9").run("generate", *argv.split(), *offline)

    assert (ran.status, ran.err) == (0, "")
    header, payload, signature = ran.out.split(".")
    assert _decoded(header) == {"alg": "RS256", "kid": "2", "typ": "JWT"}
    found = _decoded(payload)
    issued = int(NOW.timestamp())
    assert found.pop("jti")
    assert found == {**claims, "exp": issued + 86_400, "nbf": issued - 300, "iat": issued}
    public = User(tmp_path).run("generate", "public-key", "--signing-key-path", str(key_file)).out
    assert public.startswith("-----BEGIN RSA PUBLIC KEY-----\n")
    verifier = load_pem_public_key(public.encode())
    assert isinstance(verifier, rsa.RSAPublicKey)
    verifier.verify(
        base64.urlsafe_b64decode(signature + "=="),
        f"{header}.{payload}".encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


def test_two_tokens_never_have_the_same_id(key_file: Path, tmp_path: Path) -> None:
    argv = ("generate", "user-token", "--name", "a", "--valid-for", "1h", "--kid", "1")
    user = User(tmp_path)

    first, second = (
        user.run(*argv, "--signing-key-path", str(key_file)).out.split(".")[1] for _ in range(2)
    )

    assert _decoded(first)["jti"] != _decoded(second)["jti"]


@pytest.mark.parametrize("argv", ["", "--format=pem-base64", "--format base64"])
def test_a_signing_key_fits_into_a_secret_as_it_is(argv: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run("generate", "signing-key", *argv.split())

    pem = base64.b64decode(ran.out, validate=True)
    key = load_pem_private_key(pem, password=None)
    assert pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the signing key is no private key in PEM"),
        (
            b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            "is no private key in PEM",
        ),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "is no RSA key"),
        (_pem(rsa.generate_private_key(65537, 1024)), "the signing key has 1024 bits"),
        (b"x" * 70_000, "is larger than 65536 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_signing_key_signs_nothing(
    content: bytes | None, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    argv = ("--valid-for", "1h", "--kid", "1", "--signing-key-path", str(path))
    ran = User(tmp_path).run("generate", "dataplane-token", *argv)

    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("dataplane-token", "--valid-for"),
        ("dataplane-token --valid-for 5", "missing unit"),
        ("dataplane-token --valid-for 1h --kid 1", "belong together"),
        ("dataplane-token --valid-for 1h --signing-key-path {key}", "belong together"),
        (
            "dataplane-token --valid-for 1h --signing-key-path {key} --kid a/b",
            "a key id is 1 to 128 letters",
        ),
        ("dataplane-token --valid-for 1ms --signing-key-path {key} --kid 1", "at least 1s"),
        ("dataplane-token --valid-for 1h --proxy-type egress", "egress"),
        ("zone-token --valid-for 1h", "--zone"),
        ("user-token --valid-for 1h", "--name"),
        ("tls-certificate --type server", "--hostname"),
        ("tls-certificate --type server --hostname ,", "at least one hostname"),
        ("tls-certificate --type server --hostname bücher.example", "no host name"),
        ("tls-certificate --type ca --hostname x", "ca"),
    ],
)
def test_what_is_missing_or_wrong_is_a_usage_error(
    argv: str, problem: str, key_file: Path, tmp_path: Path
) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run("generate", *argv.format(key=key_file).split())

    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err


@pytest.mark.parametrize("key_type", ["rsa", "ecdsa"])
def test_a_certificate_is_for_its_names_and_its_purpose(key_type: str, tmp_path: Path) -> None:
    key_path, cert_path = tmp_path / "k.pem", tmp_path / "c.pem"
    argv = ("--type", "server", "--hostname", "cp.example,10.0.0.1", "--key-type", key_type)

    ran = User(tmp_path).run(
        *("generate", "tls-certificate", *argv),
        *("--key-file", str(key_path), "--cert-file", str(cert_path)),
    )

    assert ran.out == f"Private key saved in {key_path}\nCertificate saved in {cert_path}\n"
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_path, key_path)
    certificate = x509.load_pem_x509_certificate(cert_path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cp.example"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc


def test_a_key_is_never_written_over_another_file(tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text("precious")

    ran = User(tmp_path).run(
        *("generate", "tls-certificate", "--type", "client", "--hostname", "x"),
        *("--key-file", str(tmp_path / "k.pem"), "--cert-file", "-"),
    )

    assert (ran.status, ran.out) == (1, "")
    assert "File exists" in ran.err
    assert (tmp_path / "k.pem").read_text() == "precious"


def test_key_and_certificate_may_go_to_standard_output(tmp_path: Path) -> None:
    ran = User(tmp_path).run(
        *("generate", "tls-certificate", "--type", "client", "--hostname", "x"),
        *("--key-file", "-", "--cert-file", "-", "--key-type", "ecdsa"),
    )

    assert ran.out.count("-----BEGIN ") == 2
    assert "saved" not in ran.out
