"""A seat over the admission socket: taken, held, taken again, refused."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from kuma_dp.admission import Admission
from kuma_dp.errors import NotMendedByWaitingError, NotNowError
from kuma_dp.given.dataplane_file import Proxy

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BY_NAME = Proxy("default", "backend-1")


def line(**members: object) -> bytes:
    text = json.dumps(members).encode() + b"\n"
    return b"%x\r\n%b\r\n" % (len(text), text)


def admitted(token: str, **more: object) -> bytes:
    return HEAD + line(decision="admitted", token=token, warnings=[], **more)


def refused(status: int, code: str, **more: object) -> bytes:
    body = json.dumps({"code": code, "reason": "so it is", "hint": "Do this.", **more}).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Socket:
    """A control plane's socket: gives one answer after the other and holds what it admitted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: list[bytes] = []
        self.asked: list[dict[str, object]] = []
        self.held: list[trio.SocketStream] = []

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.socket.socket(trio.socket.AF_UNIX) as listening:
            await listening.bind(str(self.path))
            listening.listen()
            async with trio.open_nursery() as nursery:
                listeners = [trio.SocketListener(listening)]
                nursery.start_soon(trio.serve_listeners, self._answer, listeners)
                task_status.started()

    async def _answer(self, stream: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data or not data.endswith(b"}"):
            part = await stream.receive_some()
            if not part:
                return
            data += part
        self.asked.append(json.loads(data.partition(b"\r\n\r\n")[2]))
        answer = self.answers.pop(0)
        await stream.send_all(answer)
        if answer.startswith(HEAD):
            self.held.append(stream)
            await stream.receive_some()
            self.held.remove(stream)


@asynccontextmanager
async def serving(folder: Path, *answers: bytes) -> AsyncIterator[Socket]:
    # Not below `folder`'s own name: the path of a socket is short.
    socket = Socket(folder / "s")
    socket.answers += answers
    async with trio.open_nursery() as nursery:
        await nursery.start(socket.serve)
        yield socket
        nursery.cancel_scope.cancel()


def admission(socket: Socket, tokens: list[str], proxy: Proxy = BY_NAME) -> Admission:
    async def bring(token: str) -> None:
        await trio.lowlevel.checkpoint()
        tokens.append(token)

    return Admission(str(socket.path), proxy, bring)


@asynccontextmanager
async def joined(
    socket: Socket, tokens: list[str], proxy: Proxy = BY_NAME
) -> AsyncIterator[Admission]:
    """An admission that holds its seat."""
    joining = admission(socket, tokens, proxy)
    await joining.join(60)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(joining.hold)
        await trio.testing.wait_all_tasks_blocked()
        yield joining
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(60):
        while not condition():
            await trio.sleep(0.005)


async def test_the_first_line_brings_a_token_and_the_seat_is_held(tmp_path: Path) -> None:
    tokens: list[str] = []
    async with serving(tmp_path, admitted("t1")) as socket:
        async with joined(socket, tokens):
            assert tokens == ["t1"]
            assert socket.asked == [{"mesh": "default", "name": "backend-1"}]
            assert len(socket.held) == 1
        await until(lambda: not socket.held)


async def test_a_dataplane_that_is_brought_is_registered_by_the_seat(tmp_path: Path) -> None:
    resource = {"type": "Dataplane", "mesh": "default", "name": "backend-1"}
    proxy = Proxy("default", "backend-1", resource)
    async with serving(tmp_path, admitted("t1")) as socket, joined(socket, [], proxy):
        assert socket.asked == [{"dataplane": resource}]


async def test_a_seat_that_has_ended_is_taken_again_with_a_new_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tokens: list[str] = []
    answers = (admitted("t1"), refused(503, "busy"), admitted("t2"))
    async with serving(tmp_path, *answers) as socket, joined(socket, tokens):
        event = line(event="seat-ended", code="mesh-deleted", reason="it is gone", hint="Ask.")
        await until(lambda: socket.held)
        await socket.held[0].send_all(event + b"0\r\n\r\n")
        await until(lambda: tokens == ["t1", "t2"])
        await until(lambda: "seat-taken" in caplog.text)
    assert "seat-ended: mesh-deleted it is gone. Ask." in caplog.text
    assert "seat-lost: busy: so it is. Do this." in caplog.text


async def test_who_wants_to_be_left_alone_is_not_asked_for_a_lost_seat_before(
    tmp_path: Path,
) -> None:
    tokens: list[str] = []
    full = refused(403, "license-limit", retryAfterSeconds=1)
    answers = (admitted("t1"), full, admitted("t2"))
    async with serving(tmp_path, *answers) as socket, joined(socket, tokens):
        await until(lambda: socket.held)
        lost_at = trio.current_time()
        await socket.held[0].send_all(b"0\r\n\r\n")

        await until(lambda: tokens == ["t1", "t2"])
        assert trio.current_time() - lost_at >= 1


async def test_a_new_token_is_a_new_admission_and_not_asked_for_all_the_time(
    tmp_path: Path,
) -> None:
    tokens: list[str] = []
    async with serving(tmp_path, admitted("t1"), admitted("t2")) as socket:
        assert not admission(socket, tokens).renew()  # nothing is held yet
        async with joined(socket, tokens) as joining:
            assert joining.renew()
            await until(lambda: tokens == ["t1", "t2"])
            assert not joining.renew()


@pytest.mark.parametrize("code", ["busy", "rate-limited", "already-joined", "too-slow"])
async def test_what_passes_is_waited_for(tmp_path: Path, code: str) -> None:
    tokens: list[str] = []
    answers = (refused(503, code), admitted("t1"))
    async with serving(tmp_path, *answers) as socket, joined(socket, tokens):
        assert tokens == ["t1"]


@pytest.mark.parametrize("code", ["license-limit", "mesh-quota"])
async def test_a_license_without_room_ends_the_start_for_the_unit_to_try_again(
    tmp_path: Path, code: str
) -> None:
    async with serving(tmp_path, refused(403, code, retryAfterSeconds=5)) as socket:
        with pytest.raises(NotNowError) as error:
            await admission(socket, []).join(60)
    assert (error.value.code, error.value.exit_status) == (code, 69)


@pytest.mark.parametrize("code", ["identity", "mesh-not-found", "dataplane-mismatch", "new-code"])
async def test_other_refusals_are_for_a_person(tmp_path: Path, code: str) -> None:
    parameters = [{"field": "name", "reason": "is wrong"}]
    async with serving(tmp_path, refused(403, code, invalid_parameters=parameters)) as socket:
        with pytest.raises(NotMendedByWaitingError) as error:
            await admission(socket, []).join(60)
    assert (error.value.code, error.value.exit_status) == (code, 78)
    assert error.value.line == f"{code}: so it is: name: is wrong. Do this."


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (HEAD + line(decision="admitted", warnings=[]), "token-not-issued"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "admission-socket-silent"),
        (b"no HTTP\r\n\r\n", "admission-socket-silent"),
        (HEAD + b"3\r\n[]\n\r\n", "admission-socket-silent"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 1\r\n\r\n<", "admission-socket-silent"),
    ],
)
async def test_an_answer_that_is_none_is_told(tmp_path: Path, answer: bytes, code: str) -> None:
    async with serving(tmp_path, answer) as socket:
        with pytest.raises(NotNowError) as error:
            await admission(socket, []).join(0)
    assert error.value.code == code


async def test_a_socket_that_nobody_serves_is_told_and_waited_for(tmp_path: Path) -> None:
    socket = Socket(tmp_path / "none")
    with pytest.raises(NotNowError) as error:
        await admission(socket, []).join(0)
    assert (error.value.code, error.value.exit_status) == ("admission-socket-missing", 69)
    assert str(socket.path) in error.value.message
