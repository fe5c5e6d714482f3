"""Answers over HTTP, however they are cut; what is none is told apart."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from kuma_dp import http_exchange
from kuma_dp.http_exchange import Answer, NoHttpError, ask

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: a\r\n\r\n"
    b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
)
AFTER_HINTS = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\nHTTP/1.0 200 OK\r\n\r\nat last"
SIZED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"
TO_THE_END = b"HTTP/1.0 200 OK\r\n\r\nuntil the end"


async def answered(*parts: bytes) -> tuple[Answer, bytes]:
    """The answer that comes in `parts`, and what was asked."""
    ours, theirs = trio.testing.memory_stream_pair()
    for part in parts:
        await theirs.send_all(part)
    await theirs.send_eof()
    incoming = await ask(ours, "POST", "/x", host="h", body=b"body", headers={"A": "b"})
    return await incoming.whole(), bytes(await theirs.receive_some())


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (CHUNKED, 200, b"hello, world"),
        (SIZED, 404, b"gone"),
        (TO_THE_END, 200, b"until the end"),
        (AFTER_HINTS, 200, b"at last"),
    ],
)
async def test_an_answer_is_the_same_however_it_is_cut(
    said: bytes, status: int, body: bytes
) -> None:
    asked = b""
    for size in (1, 7, len(said)):
        parts = [said[at : at + size] for at in range(0, len(said), size)]
        answer, asked = await answered(*parts)
        assert (answer.status, answer.body) == (status, body)
    assert asked == (
        b"POST /x HTTP/1.1\r\nHost: h\r\nUser-Agent: kuma-dp\r\nA: b\r\nContent-Length: 4\r\n\r\nbody"
    )


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        SIZED[:-1],
        CHUNKED[:-5],
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x15\x03",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx",
    ],
)
async def test_what_is_no_whole_answer_is_refused(said: bytes) -> None:
    with pytest.raises(NoHttpError):
        await answered(said)


async def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_exchange, "BODY_BYTES_MAX", 10)
    with pytest.raises(NoHttpError, match="larger"):
        await answered(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", b"x" * 11)
    with pytest.raises(NoHttpError, match="no end"):
        await answered(b"HTTP/1.1 200 OK\r\n", *[b"a: " + b"x" * 1000 + b"\r\n"] * 100)


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        CHUNKED[:-2],
    ],
    ids=["headers", "headers after others", "trailers"],
)
@pytest.mark.parametrize("line", [b"a: b\r\n", b"a: " + b"x" * 100], ids=["lines", "a line"])
async def test_what_is_no_body_has_a_bound(begun: bytes, line: bytes) -> None:
    """Else it would be kept until the time of the question is over."""
    with pytest.raises(NoHttpError, match="its head has no end"):
        await answered(begun, line + b"x" * 100_000 if line.endswith(b"x") else line * 20_000)
