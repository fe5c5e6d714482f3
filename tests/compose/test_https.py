"""Which certificate the HTTPS listener shows: configured, found, made, renewed."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from cryptography import x509

from kong_mesh_cp.compose.tls.https import RECHECK_SECONDS
from kong_mesh_cp.core.errors import ConfigurationError, StateError
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.listening.tls import Tls
from support.daemons.http_peers import get
from support.daemons.https_settings import NOW, codes, configured, https
from support.daemons.tls_peers import Pair, issued, pair, serving_tls, shown_by


async def test_a_pair_is_made_once_and_kept(tmp_path: Path) -> None:
    first = https(tmp_path)
    await first.provide()
    certificate, key = tmp_path / "kuma-cp.crt", tmp_path / "kuma-cp.key"

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" not in certificate.read_bytes()
    again = https(tmp_path)
    await again.provide()
    assert shown_by(first.context()) == shown_by(again.context()) == certificate.read_bytes()
    assert sorted(tmp_path.iterdir()) == [certificate, key]


async def test_the_made_certificate_is_for_this_machine(tmp_path: Path) -> None:
    await https(tmp_path).provide()
    made = x509.load_pem_x509_certificate((tmp_path / "kuma-cp.crt").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {"localhost", socket.gethostname()} <= set(names.get_values_for_type(x509.DNSName))
    assert ipaddress.ip_address("127.0.0.1") in names.get_values_for_type(x509.IPAddress)
    assert made.not_valid_after_utc - NOW > timedelta(days=3649)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_clients_may_trust_it_beside_what_the_machine_had_before(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    """OpenSSL looks for an authority by its subject: two with the same would hide each other."""
    made = [https(tmp_path / number) for number in "01"]
    for number, one in zip("01", made, strict=True):
        (tmp_path / number).mkdir()
        await one.provide()
    both = "".join((tmp_path / str(number) / "kuma-cp.crt").read_text() for number in order)
    trusting = ssl.create_default_context(cadata=both)

    served = serving_tls(tmp_path, context=made[0].context())
    async with served as server, server.client(trusting) as client:
        assert (await client.ask(get("/a"))).status == 200


async def test_with_a_store_in_memory_nothing_is_written(tmp_path: Path) -> None:
    served = https(tmp_path, KUMA_STORE_TYPE="memory")
    await served.provide()

    assert shown_by(served.context())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["kuma-cp.crt", "kuma-cp.key"])
async def test_half_of_a_kept_pair_is_replaced_by_a_whole_one(tmp_path: Path, missing: str) -> None:
    await https(tmp_path).provide()
    (tmp_path / missing).write_bytes(b"")
    served = https(tmp_path)
    await served.provide()

    assert shown_by(served.context()) == (tmp_path / "kuma-cp.crt").read_bytes()


async def test_the_listeners_own_pair_wins_over_that_of_all_servers(tmp_path: Path) -> None:
    environ = configured(tmp_path / "general", pair("general"), "GENERAL")
    general = https(tmp_path, **environ)
    own = https(tmp_path, **environ, **configured(tmp_path / "own", pair("own")))
    for served, expected in ((general, pair("general")), (own, pair("own"))):
        await served.provide()
        assert shown_by(served.context()) == expected.certificate
    assert not (tmp_path / "kuma-cp.key").exists()


def test_a_missing_file_is_named_with_its_setting(tmp_path: Path) -> None:
    environ = configured(tmp_path / "own", pair())
    (tmp_path / "own/server.key").unlink()
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **environ)

    assert refused.value.code == "tls-file-unreadable"
    assert f"{tmp_path}/own/server.key (apiServer.https.tlsKeyFile)" in refused.value.message


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (Pair(pair("a").certificate, pair("b").key), "tls-key-mismatch"),
        (Pair(b"no certificate", pair("b").key), "tls-pair-unusable"),
        (Pair(pair("a").certificate, b""), "tls-pair-unusable"),
        (
            Pair(
                pair("a").certificate,
                b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----",
            ),
            "tls-key-encrypted",
        ),
    ],
    ids=["mismatch", "no certificate", "no key", "encrypted"],
)
def test_a_pair_that_cannot_serve_is_refused(tmp_path: Path, made: Pair, code: str) -> None:
    environ = configured(tmp_path / "own", made)
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **environ)

    assert refused.value.code == code
    assert "PRIVATE" not in refused.value.line


def test_a_file_of_authorities_without_any_is_refused(tmp_path: Path) -> None:
    environ = configured(tmp_path / "own", pair())
    environ["KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE"] = str(tmp_path / "own/server.key")
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **environ)
    assert refused.value.code == "tls-ca-unusable"


async def test_an_expired_certificate_serves_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair("old", days=-1)))
    await served.provide()

    assert shown_by(served.context()) == pair("old", days=-1).certificate
    assert codes(caplog) == ["tls-certificate-expired"]


async def test_a_key_that_everybody_can_read_serves_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment = configured(tmp_path / "own", pair())
    key = tmp_path / "own" / "server.key"
    key.chmod(0o644)
    served = https(tmp_path, **environment)
    await served.provide()
    await served.renew()

    assert shown_by(served.context()) == pair().certificate
    assert codes(caplog) == ["tls-key-exposed"]
    assert f"Run: chmod o-r {key}" in caplog.text


@pytest.mark.parametrize("name", ["TLS_CA_FILE", "CLIENT_CERTS_DIR", "CLIENT"])
def test_authorities_that_everybody_can_write_are_not_believed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    file = folder / "mary.crt"
    file.write_bytes(pair().certificate)
    (folder if name == "CLIENT_CERTS_DIR" else file).chmod(0o777)
    given = (
        {"KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE": str(file)}
        if name == "TLS_CA_FILE"
        else {"KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR": str(folder)}
    )
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **given)
    assert refused.value.code == "tls-file-unreadable"
    assert "may be written by everybody, who then could add trust" in refused.value.message


async def test_an_unwritable_directory_is_reported(tmp_path: Path) -> None:
    served = https(tmp_path / "gone")
    with pytest.raises(StateError) as refused:
        await served.provide()
    assert refused.value.code == "tls-certificate-not-kept"


async def test_a_renewed_pair_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair("first")))
    await served.provide()
    tls = Tls(served.context)
    pair("second").write(tmp_path / "own")
    await served.renew()

    assert shown_by(tls.context()) == pair("second").certificate


async def test_half_of_a_renewed_pair_changes_nothing_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair("first")))
    await served.provide()
    before = served.context()
    (tmp_path / "own/server.crt").write_bytes(pair("second").certificate)
    await served.renew()
    await served.renew()
    assert served.context() is before
    assert codes(caplog) == ["tls-key-mismatch"]

    (tmp_path / "own/server.key").write_bytes(pair("second").key)
    await served.renew()
    assert shown_by(served.context()) == pair("second").certificate


@pytest.mark.usefixtures("autojump_clock")
async def test_a_renewed_file_is_noticed_by_itself(tmp_path: Path) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair("first")))
    await served.provide()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(served.follow)
        pair("second").write(tmp_path / "own")
        before = served.context()
        while served.context() is before:
            await trio.sleep(RECHECK_SECONDS)
        nursery.cancel_scope.cancel()
    assert shown_by(served.context()) == pair("second").certificate


def test_versions_and_suites_are_those_of_the_settings(tmp_path: Path) -> None:
    terms = {
        "KUMA_GENERAL_TLS_MIN_VERSION": "TLSv1_2",
        "KUMA_GENERAL_TLS_MAX_VERSION": "TLSv1_2",
        "KUMA_GENERAL_TLS_CIPHER_SUITES": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    }
    context = https(tmp_path, **configured(tmp_path / "own", pair()), **terms).context()

    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2
    of_1_2 = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"]
    assert of_1_2 == ["ECDHE-ECDSA-AES256-GCM-SHA384"]


@pytest.mark.parametrize(("required", "mode"), [("false", "OPTIONAL"), ("true", "REQUIRED")])
def test_clients_are_asked_for_certificates(tmp_path: Path, required: str, mode: str) -> None:
    environ = configured(tmp_path / "own", pair())
    environ["KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE"] = str(tmp_path / "own/server.crt")
    environ["KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT"] = required
    context = https(tmp_path, **environ).context()

    assert context.verify_mode.name == f"CERT_{mode}"


async def test_clients_may_be_listed_one_by_one_in_a_folder(tmp_path: Path) -> None:
    """As Kuma has it: each .pem and .crt file; whoever is listed needs no authority beside it."""
    folder = tmp_path / "clients"
    folder.mkdir()
    (folder / "one.crt").write_bytes(pair("one").certificate)
    (folder / "two.pem").write_bytes(issued().certificate)
    (folder / "three.txt").write_bytes(pair("three").certificate)
    environ = configured(tmp_path / "own", pair())
    served = https(tmp_path, **environ, KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR=str(folder))

    async with serving_tls(tmp_path, certified, context=served.context()) as server:
        for known in (pair("one"), issued()):
            context = known.presenting(tmp_path / "known", pair())
            async with server.client(context) as client:
                assert (await client.ask(get("/"))).body == b"True"
        unknown = pair("three").presenting(tmp_path / "unknown", pair())
        with pytest.raises(trio.BrokenResourceError):
            async with server.client(unknown) as client:
                await client.ask(get("/"))


async def test_who_is_taken_out_of_the_folder_is_a_stranger_from_the_next_connection_on(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.crt").write_bytes(pair(name).certificate)
    environ = configured(tmp_path / "own", pair())
    served = https(tmp_path, **environ, KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR=str(folder))
    before = served.context()
    (folder / "one.crt").unlink()
    await served.renew()
    assert served.context() is not before
    context = pair("one").presenting(tmp_path / "one", pair())

    async with serving_tls(tmp_path, certified, context=served.context()) as server:
        with pytest.raises(trio.BrokenResourceError):
            async with server.client(context) as client:
                await client.ask(get("/"))


@pytest.mark.parametrize(("there", "code"), [(True, "tls-ca-unusable"),
                                             (False, "tls-file-unreadable")])  # fmt: skip
def test_a_folder_of_certificates_without_any_is_refused(
    tmp_path: Path, there: bool, code: str
) -> None:
    folder = tmp_path / "clients"
    if there:
        folder.mkdir()
    with pytest.raises(ConfigurationError) as refused:
        https(
            tmp_path,
            **configured(tmp_path / "own", pair()),
            KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR=str(folder),
        )
    assert refused.value.code == code


async def certified(request: Request) -> Response:
    return Response(200, str(request.peer.certified).encode())
