"""The API with TLS, from outside."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from support.daemons.daemon import Daemon, eventually
from support.daemons.tls_peers import Pair, pair
from support.fakes.identity import signing_key

pytestmark = pytest.mark.system


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path) as daemon:
        yield daemon


def configured(daemon: Daemon, made: Pair) -> Path:
    """Write a pair for the daemon and say so in its environment; the folder."""
    folder = daemon.directory / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = made.write(folder)
    daemon.environment["KUMA_GENERAL_TLS_CERT_FILE"] = os.fspath(certificate)
    daemon.environment["KUMA_GENERAL_TLS_KEY_FILE"] = os.fspath(key)
    return folder


def test_the_first_start_makes_a_certificate_and_the_next_one_keeps_it(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.https("/").json == daemon.api("GET", "/").json
    kept = (daemon.state / "kuma-cp.crt").read_bytes()
    assert stat.S_IMODE((daemon.state / "kuma-cp.key").stat().st_mode) == 0o600
    assert daemon.stop() == 0
    assert daemon.stderr.count("tls-certificate-made: ") == 1
    daemon.start()
    assert daemon.https("/").status == 200
    assert (daemon.state / "kuma-cp.crt").read_bytes() == kept
    assert daemon.stop() == 0
    assert daemon.stderr.count("tls-certificate-made: ") == 1


def test_both_ports_serve_the_same_and_localhost_is_an_administrator_on_both(
    daemon: Daemon,
) -> None:
    daemon.start()
    for path, status in (("/config", 200), ("/no-such-path", 404)):
        plain, secure = daemon.api("GET", path), daemon.https(path)
        assert (plain.status, plain.body) == (secure.status, secure.body)
        assert secure.status == status


def test_a_page_of_a_named_origin_reads_what_everybody_may_read(daemon: Daemon) -> None:
    daemon.environment["KUMA_API_SERVER_CORS_ALLOWED_DOMAINS"] = "https://gui.example.com"
    daemon.start()
    elsewhere = {"Origin": "https://gui.example.com"}
    public = daemon.api("GET", "/license", elsewhere)
    secret = daemon.api("GET", "/license?view=full", elsewhere)
    asked = {**elsewhere, "Access-Control-Request-Method": "GET"}
    preflight = daemon.api("OPTIONS", "/license", asked)

    assert (public.status, secret.status, preflight.status) == (200, 403, 200)
    for answer in (public, secret, preflight):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://gui.example.com"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_made_certificate_counts_for_every_address(daemon: Daemon, host: str) -> None:
    daemon.start()
    assert daemon.https("/", host=host).status == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_trusts_the_made_certificate_and_no_other(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start()
    url = daemon.addresses["api-https"].replace("127.0.0.1", "localhost")
    own = daemon.state / "kuma-cp.crt"
    other, _ = pair().write(tmp_path)
    asked = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}"]
    trusting = subprocess.run([*asked, "--cacert", own, url], check=True, capture_output=True)
    assert trusting.stdout == b"200"
    doubting = subprocess.run([*asked, "--cacert", other, url], check=False, capture_output=True)
    assert b"self-signed certificate" in doubting.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_is_reported_when_it_forgets_the_s(daemon: Daemon) -> None:
    daemon.start()
    url = daemon.addresses["api-https"]
    secure = subprocess.run(["curl", "-fsSk", url], check=True, capture_output=True)
    assert b'"clusterId"' in secure.stdout
    plain = url.replace("https://", "http://")
    refused = subprocess.run(["curl", "-sS", plain], check=True, capture_output=True)
    assert b"this port speaks HTTPS" in refused.stdout


def test_a_configured_certificate_is_shown_and_nothing_is_made(daemon: Daemon) -> None:
    configured(daemon, pair())
    daemon.start()

    assert daemon.https("/", pair().trusting()).status == 200
    assert not (daemon.state / "kuma-cp.key").exists()


def test_a_bad_renewal_and_a_lost_public_key_make_a_restart_unsafe(daemon: Daemon) -> None:
    folder = configured(daemon, pair())
    key = daemon.directory / "ci.pub"
    key.write_bytes(signing_key(5).verifier.pem())
    config = daemon.directory / "kong-mesh-cp.toml"
    config.write_text(
        f'[apiServer.authn.tokens.validator]\npublicKeys = [{{kid = "ci", keyFile = "{key}"}}]\n'
    )
    daemon.flags = ("--config-file", os.fspath(config))
    daemon.start()

    def status(verdict: str) -> None:
        eventually(verdict, lambda: daemon.status_text.endswith(f"; restart {verdict}"))

    status("safe")
    Pair(pair().key, pair().certificate).write(folder)
    status("NOT safe: tls-files-swapped")
    refusal: Any = daemon.local("GET", "/v1/license").json["restartError"]
    assert refusal["code"] == "tls-files-swapped"
    assert daemon.diagnostics("/ready").status == 200
    pair().write(folder)
    status("safe")
    key.rename(folder / "ci.pub")
    status("NOT safe: public-key-unreadable")
    (folder / "ci.pub").rename(key)
    status("safe")


def test_a_reload_takes_a_renewed_certificate(daemon: Daemon) -> None:
    folder = configured(daemon, pair())
    daemon.start()
    renewed = pair(days=20)
    renewed.write(folder)
    daemon.send_signal(signal.SIGHUP)
    eventually("renewed", lambda: "tls-certificate-renewed: " in daemon.stderr)

    assert daemon.https("/", renewed.trusting()).status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        daemon.https("/", pair().trusting())


def test_an_expired_certificate_is_warned_of(daemon: Daemon) -> None:
    configured(daemon, pair(days=-1))
    daemon.start()
    eventually("warned", lambda: daemon.stderr.count("tls-certificate-expired: ") == 1)


def test_a_key_of_another_certificate_refuses_the_start(daemon: Daemon) -> None:
    folder = configured(daemon, pair())
    (folder / "server.key").write_bytes(pair("another").key)
    daemon.launch()

    assert daemon.exit_status() == 78
    assert "kong-mesh-cp: tls-key-mismatch: " in daemon.stderr
    assert "Traceback" not in daemon.stderr
    assert not daemon.state.exists()


def test_swapped_files_refuse_the_start_before_anything_is_written(daemon: Daemon) -> None:
    configured(daemon, Pair(pair().key, pair().certificate))
    daemon.launch()

    assert daemon.exit_status() == 78
    assert "kong-mesh-cp: tls-files-swapped: " in daemon.stderr
    assert "Traceback" not in daemon.stderr
    assert not daemon.state.exists()


@pytest.mark.parametrize("told", [True, False], ids=["reload", "by itself"])
def test_swapped_files_under_a_running_daemon_change_nothing(daemon: Daemon, told: bool) -> None:
    folder = configured(daemon, pair())
    daemon.start()
    Pair(pair().key, pair().certificate).write(folder)
    if told:
        daemon.send_signal(signal.SIGHUP)
    eventually("said", lambda: "tls-files-swapped: " in daemon.stderr)

    assert "tls-certificate-renewed" not in daemon.stderr
    assert daemon.https("/", pair().trusting()).status == 200
    renewed = pair(days=20)
    renewed.write(folder)
    eventually("renewed", lambda: "tls-certificate-renewed: " in daemon.stderr)
    assert daemon.https("/", renewed.trusting()).status == 200
    assert daemon.stop() == 0


async def test_a_stop_does_not_wait_for_those_who_are_idle(daemon: Daemon) -> None:
    await trio.to_thread.run_sync(daemon.start)
    port = int(daemon.addresses["api-https"].rpartition(":")[2])
    trusted = ssl.create_default_context(cafile=daemon.state / "kuma-cp.crt")
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        client = trio.SSLStream(stream, trusted, server_hostname="localhost")
        await client.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")
        daemon.send_signal(signal.SIGTERM)
        assert await client.receive_some() == b""  # the closing alert: an end, not an accident
    assert await trio.to_thread.run_sync(daemon.exit_status) == 0
