"""Tries, and the answers that end them: at a server that speaks TLS, or does not."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kuma_dp.bootstrapping.asking import Tries, ask_until_there, refusal
from kuma_dp.bootstrapping.trust import Address, trust
from kuma_dp.errors import NotMendedByWaitingError, NotNowError
from kuma_dp.http_exchange import Answer
from support.daemons.tls_peers import Pair, pair

HERE = Address("localhost", 5678)
SOON = Tries(0.001, 60)
ONCE = Tries(1, 0.5)


def said(status: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Server:
    """Gives one answer after the other, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.asked: list[bytes] = []

    async def serve(self, stream: trio.abc.Stream) -> None:
        data = b""
        try:
            while not data.endswith(b"payload"):
                data += await stream.receive_some()
            self.asked.append(data)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            await stream.send_all(answer)
            await stream.aclose()
        except (trio.BrokenResourceError, ssl.SSLError):
            return


@asynccontextmanager
async def serving(
    server: Server, folder: Path, certificate: Pair | None = None
) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port: int = listeners[0].socket.getsockname()[1]
        if certificate is None:
            nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        else:
            secured = [
                trio.SSLListener(each, certificate.context(folder), https_compatible=True)
                for each in listeners
            ]
            nursery.start_soon(trio.serve_listeners, server.serve, secured)
        yield port
        nursery.cancel_scope.cancel()


async def answer_of(
    port: int, tries: Tries = SOON, *, host: str = "localhost", authority: str = ""
) -> bytes:
    address = Address(host, port)
    trusted = trust(address, authority, skip_verify=False)
    return await ask_until_there(address, trusted, b"payload", tries)


async def ends_with(port: int, tries: Tries = ONCE, **how: str) -> ControlPlaneError:
    with pytest.raises(ControlPlaneError) as error:
        await answer_of(port, tries, **how)
    return error.value


async def test_the_answer_is_the_body_and_the_question_a_post(tmp_path: Path) -> None:
    server = Server(said(200, "the bootstrap"))
    async with serving(server, tmp_path, pair()) as port:
        assert await answer_of(port, authority=pair().certificate.decode()) == b"the bootstrap"
    assert server.asked[0].startswith(b"POST /bootstrap HTTP/1.1\r\nHost: localhost:")
    assert b"\r\nAccept: application/json\r\n" in server.asked[0]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (said(404), "dataplane-absent"),
        (said(500), "control-plane-failing"),
        (said(503, "starting"), "control-plane-failing"),
        (said(429, "rate-limited: too many. Wait"), "rate-limited"),
        (b"no HTTP\r\n\r\n", "control-plane-unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "control-plane-unreachable"),
        (b"", "control-plane-unreachable"),
    ],
)
async def test_what_may_pass_is_tried_again_and_told_once(
    tmp_path: Path, first: bytes, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = Server(first, first, said(200, "there"))
    async with serving(server, tmp_path, pair()) as port:
        assert await answer_of(port) == b"there"
    assert len(server.asked) == 3
    assert [line.partition(":")[0] for line in caplog.messages] == [code]


async def test_the_tries_have_an_end(tmp_path: Path) -> None:
    async with serving(Server(said(404)), tmp_path, pair()) as port:
        error = await ends_with(port)
    assert isinstance(error, NotNowError)
    assert (error.code, error.exit_status) == ("dataplane-absent", 69)


async def test_nobody_there_is_told_with_the_address() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port: int = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()

    error = await ends_with(port)

    assert (error.code, error.exit_status) == ("control-plane-unreachable", 69)
    assert f"localhost:{port}" in error.message


@pytest.mark.usefixtures("autojump_clock")
async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(_: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, silent, listeners)
        error = await ends_with(listeners[0].socket.getsockname()[1], host="127.0.0.1")
        nursery.cancel_scope.cancel()
    assert error.code == "control-plane-silent"


async def test_a_port_without_tls_is_the_wrong_one_at_once() -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

    async def plain(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, plain, listeners)
        error = await ends_with(listeners[0].socket.getsockname()[1], SOON)
        nursery.cancel_scope.cancel()
    assert (error.code, error.exit_status) == ("control-plane-wrong-port", 78)


async def test_a_certificate_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    async with serving(Server(said(200)), tmp_path, pair()) as port:
        other = pair("other", days=9).certificate.decode()
        error = await ends_with(port, SOON, authority=other)
    assert (error.code, error.exit_status) == ("control-plane-not-trusted", 78)


async def test_a_certificate_for_another_name_is_not_taken(tmp_path: Path) -> None:
    async with serving(Server(said(200)), tmp_path, pair()) as port:
        authority = pair().certificate.decode()
        error = await ends_with(port, SOON, host="127.0.0.1", authority=authority)
    assert (error.code, error.exit_status) == ("control-plane-name-mismatch", 78)


SANS = (
    'A data plane proxy is trying to connect to the control plane using "cp" address, but the'
    ' certificate in the control plane has the following SANs ["a" "b"]. Either change the'
    " --cp-address in kuma-dp to one of those or execute the following steps:\n1) …"
)
NO_CA = (
    "A data plane proxy is trying to verify the control plane using the certificate which is not a"
    " certificate authority (basic constraint 'CA' is set to 'false').\nProvide CA"
)


@pytest.mark.parametrize(
    ("status", "text", "code", "exit_status", "says"),
    [
        (422, "Dataplane Token is required. Generate", "dataplane-token-required", 78, "token"),
        (422, 'mesh: mesh "x" does not exist', "dataplane-refused", 78, 'mesh "x" does not exist'),
        (400, SANS, "control-plane-name-mismatch", 78, '["a" "b"]'),
        (400, NO_CA, "ca-cert-not-an-authority", 78, "no authority"),
        (400, "", "dataplane-refused", 78, "400"),
        (404, "404: Page Not Found", "control-plane-wrong-port", 78, "port of the API"),
        (404, "404 page not found", "dataplane-refused", 78, "404 page not found"),
        (403, "license-limit: no room. Buy more.", "license-limit", 69, "Buy more."),
        (403, "something", "control-plane-refuses", 69, "something"),
        (502, "a proxy", "control-plane-failing", 69, "a proxy"),
    ],
)
def test_a_refusal_has_a_code_a_status_and_one_line(
    status: int, text: str, code: str, exit_status: int, says: str
) -> None:
    error = refusal(Answer(status, {}, text.encode()), HERE)

    assert (error.code, error.exit_status) == (code, exit_status)
    assert says in error.line
    assert "\n" not in error.line
    assert isinstance(error, NotMendedByWaitingError if exit_status == 78 else NotNowError)


async def test_a_license_without_room_ends_the_tries_for_the_unit_to_go_on(tmp_path: Path) -> None:
    server = Server(said(403, "license-limit: no room. Buy more."))
    async with serving(server, tmp_path, pair()) as port:
        error = await ends_with(port, SOON)
    assert error.exit_status == 69
    assert len(server.asked) == 1
