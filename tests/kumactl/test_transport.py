"""Servers that lie, stall, flood or hide behind certificates: one line and a status each."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kumactl import transport
from kumactl.certificates import KeyType, Purpose, self_signed
from kumactl.errors import UnreachableError, UsageError
from kumactl.transport import TlsOptions, Transport
from support.daemons.kuma_api import Asked, Reply, api
from support.daemons.kumactl_runs import NOW, User

SECOND = "200ms"  # as long as a test waits for a server that never answers


@contextmanager
def raw(*parts: bytes, hold: bool = False) -> Iterator[str]:
    """A server that says `parts` to each of its peers, whatever they ask, and closes or holds."""
    released = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(65536)
                    for part in parts:
                        peer.sendall(part)
                    if hold:
                        released.wait()
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        released.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\n\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        HEAD + b"content-length: 100\r\n\r\n{}",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"x: " + b"a" * 100_000 + b"\r\n\r\n",
        HEAD + b"x: y\r\n" * 1000 + b"\r\n",
        HEAD + b"content-length: 4\r\n\r\nnull",
        HEAD + b"content-length: 3\r\n\r\n[1]",
        HEAD + b"content-length: 10\r\n\r\n<html></ht",
        HEAD + b'content-length: 13\r\n\r\n{"a":1,"a":2}',
        HEAD + b'content-length: 5\r\n\r\n{"\xff"}',
        HEAD + b"content-length: 200\r\n\r\n" + b"[" * 200,
    ],
)
def test_what_no_control_plane_would_say_ends_with_status_3(answer: bytes, tmp_path: Path) -> None:
    with raw(answer) as url:
        ran = User(tmp_path, url).run("get", "meshes")

    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("Error: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\n", HEAD + b"content-length: 9\r\n\r\n{"]
)
def test_a_server_that_stalls_is_left_at_the_timeout(begun: bytes, tmp_path: Path) -> None:
    with raw(begun, hold=True) as url:
        ran = User(tmp_path, url).run("get", "meshes", "--api-timeout", SECOND)

    assert ran.status == 3
    assert ran.err == f"Error: no answer from {url} within 0.2 s\n"


def test_a_server_that_drips_bytes_is_left_at_the_timeout_too(tmp_path: Path) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            peer, _ = listener.accept()
            with peer, contextlib.suppress(OSError):
                peer.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
                while not stop.wait(0.02):
                    peer.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ran = User(tmp_path, url).run("get", "meshes", "--api-timeout", SECOND)
        stop.set()
        thread.join()

    assert ran.status == 3
    assert ran.err == f"Error: no answer from {url} within 0.2 s\n"


def test_an_answer_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_BYTES_MAX", 100_000)

    with api(lambda _asked: Reply(body=b" " * 100_001)) as server:
        ran = User(tmp_path, server.url).run("get", "meshes")

    assert (ran.status, ran.err) == (3, "Error: the answer is larger than 100000 bytes\n")


def test_pages_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    page = {"total": 1, "items": [{"name": "m"}], "next": "http://x/mesh-insights?offset=0"}

    with api(lambda _asked: Reply(body=page)) as server:
        ran = User(tmp_path, server.url).run("inspect", "meshes")

    assert ran.status == 0
    assert len(server.lines()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"items": None},
        {"items": 5},
        {"items": [None, 1, "x", {"name": 5, "networking": [], "mtls": "x"}]},
        {"items": [{"networking": {"inbound": [5, {"tags": [1]}], "gateway": "x"}}], "next": 7},
        {"next": "http://[", "total": "x"},
        {
            "items": [
                {"tags": {"a": [1], "b": {}}, "mtls": {"backends": [5], "enabledBackend": "x"}}
            ]
        },
    ],
)
@pytest.mark.parametrize(
    "argv",
    [
        "get meshes",
        "get dataplanes",
        "get external-services",
        "inspect meshes",
        "inspect dataplanes",
        "inspect dataplane x",
        "inspect zones",
        "inspect zone-ingresses",
        "inspect services",
        "inspect meshtimeout x",
        "inspect meshgateway x",
        "export",
    ],
)
def test_answers_of_another_shape_count_as_empty(body: object, argv: str, tmp_path: Path) -> None:
    with api(lambda _asked: Reply(body=body)) as server:
        ran = User(tmp_path, server.url).run(*argv.split())

    assert ran.status == 0
    assert ran.err == ""


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(500, b"x" * 10_000), "HTTP status 500: " + "x" * 300 + "\n"),
        (Reply(502, b"<h1>\x1b[2J</h1>"), "HTTP status 502: <h1>\\x1b[2J</h1>\n"),
        (Reply(301, b"", {"location": "http://elsewhere/"}), "HTTP status 301: \n"),
        (Reply(400, {"title": "a\nb", "detail": "c\x07"}), "Error: a\\nb (c\\x07)\n"),
        (Reply(400, {"title": "t", "invalid_parameters": [1, {}]}), "Error: t\n* \n"),
        (
            Reply(401, {"title": "Invalid authentication data"}),
            "Error: Invalid authentication data\n",
        ),
    ],
)
def test_refusals_of_any_shape_stay_single_lines(reply: Reply, said: str, tmp_path: Path) -> None:
    with api(lambda _asked: reply) as server:
        ran = User(tmp_path, server.url).run("get", "meshes")

    assert ran.status == 1
    assert ran.err.endswith(said)


def test_a_port_where_nobody_listens_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    ran = User(tmp_path, url).run("get", "meshes")

    assert (ran.status, ran.err) == (3, f"Error: could not connect to {url}: Connection refused\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    key, pem = self_signed(Purpose.SERVER, KeyType.ECDSA, ["127.0.0.1"], NOW)
    folder = tmp_path_factory.mktemp("tls")
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def _zones(_asked: Asked) -> Reply:
    return Reply(body={"total": 0, "items": [], "next": None})


def test_an_unknown_certificate_is_refused_before_any_token_is_sent(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    with api(_zones, certificate[1]) as server:
        client = Transport(server.url, headers={"authorization": "Bearer t0k"})
        with pytest.raises(UnreachableError, match=r"is not trusted: .*--ca-cert-file"):
            client.ask("GET", "/zones")

    assert not server.asked


def test_the_ca_of_the_configuration_is_trusted(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    with api(_zones, certificate[1]) as server:
        client = Transport(server.url, tls=TlsOptions(ca_cert_file=str(certificate[0])))
        answer = client.ask("GET", "/zones")
        client.close()

    assert json.loads(answer.body)["total"] == 0


def test_a_port_that_speaks_no_tls_is_called_so() -> None:
    with api(lambda _asked: Reply()) as server:
        address = server.url.replace("http:", "https:")
        with (
            contextlib.closing(Transport(address)) as asking,
            pytest.raises(UnreachableError) as error,
        ):
            asking.ask("GET", "/")

    assert error.value.message == (
        f"{address} does not speak TLS: it is no port for https. Give the one for https (5682"
        f" unless configured otherwise), or {server.url}"
    )


def test_skip_verify_takes_any_certificate(certificate: tuple[Path, ssl.SSLContext]) -> None:
    with api(_zones, certificate[1]) as server:
        client = Transport(server.url, tls=TlsOptions(skip_verify=True))
        status = client.ask("GET", "/zones").status
        client.close()

    assert status == 200


@pytest.mark.parametrize("field", ["ca_cert_file", "client_cert_file"])
def test_certificate_files_without_pem_are_reported(field: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    options: dict[str, Any] = {field: str(tmp_path / "empty.pem")}

    with pytest.raises(UsageError, match="it holds no PEM"):
        Transport("https://cp:5682", tls=TlsOptions(**options))


def test_one_connection_serves_many_questions_and_is_renewed_when_the_server_closed_it() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(headers={"connection": "close"} if asked.path == "/last" else {})

    with api(answer) as server:
        client = Transport(server.url)
        statuses = [client.ask("GET", path).status for path in ("/a", "/last", "/b", "/c")]
        client.close()

    assert statuses == [200] * 4


def test_a_connection_that_the_server_dropped_meanwhile_is_made_anew() -> None:
    with raw(HEAD + b"content-length: 2\r\n\r\n{}") as url:
        client = Transport(url)
        bodies = [client.ask("GET", "/a").body for _ in range(3)]
        client.close()

    assert bodies == [b"{}"] * 3


def test_an_address_of_ipv6_and_a_name_are_both_urls() -> None:
    for host in ("[::1]", "cp.example", str(ipaddress.ip_address("192.0.2.1"))):
        assert Transport(f"http://user:pass@{host}:5681/x").address == f"http://{host}:5681"
