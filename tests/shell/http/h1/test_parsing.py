"""Hostile and friendly bytes, without a socket."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.http.h1.parsing import RequestError, RequestParser
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from support.daemons.http_peers import chunked, get, post

SMALL = Limits(header_bytes_max=200, header_count_max=5, body_bytes_max=50)
NOBODY = Peer(socket.socket())
NOBODY.socket.close()

Outcome = tuple[list[tuple[str, str, dict[str, str], bytes]], tuple[int, str] | None, bool]


def outcome(pieces: Sequence[bytes], limits: Limits = SMALL) -> Outcome:
    """All requests in `pieces`, the refusal that ended them, and whether one is unfinished."""
    parser = RequestParser(limits)
    requests = []
    try:
        for piece in pieces:
            rest = piece
            while rest:
                rest = parser.feed(rest)
                if parser.complete:
                    request = parser.request(NOBODY)
                    requests.append(
                        (request.method, request.path, dict(request.headers), request.body)
                    )
                    parser.restart()
    except RequestError as fault:
        return requests, (fault.status, fault.code), False
    return requests, None, parser.started


def parsed(data: bytes, limits: Limits = SMALL) -> Request:
    parser = RequestParser(limits)
    assert parser.feed(data) == b""
    assert parser.complete
    return parser.request(NOBODY)


def refusal(data: bytes, limits: Limits = SMALL) -> tuple[int, str] | None:
    return outcome([data], limits)[1]


def test_a_request_is_taken_apart() -> None:
    request = parsed(
        b"PUT /a%20b?x=1&y=%C3%A9&x=2 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:  2 \r\n"
        b"Content-Length: 2\r\n\r\nhi"
    )

    assert (request.method, request.path, request.body) == ("PUT", "/a b", b"hi")
    assert request.query == {"x": "1", "y": "é"}
    assert request.headers == {"host": "h", "x-a": "1, 2", "content-length": "2"}


def test_chunks_become_one_body_and_trailers_are_dropped() -> None:
    data = chunked(b"abc", b"\r\n\r\n", b"d").removesuffix(b"\r\n") + b"X-Sum: 1\r\n\r\n"

    request = parsed(data)

    assert request.body == b"abc\r\n\r\nd"
    assert "x-sum" not in request.headers


def test_what_follows_a_request_is_given_back() -> None:
    parser = RequestParser(SMALL)

    assert parser.feed(post(b"one") + get("/two")) == get("/two")
    assert parser.request(NOBODY).body == b"one"


def test_empty_lines_before_a_request_do_not_begin_one() -> None:
    parser = RequestParser(SMALL)

    assert parser.feed(b"\r\n\r\n\n") == b""
    assert not parser.started
    assert outcome([b"\r\n" + get("/a")])[0][0][1] == "/a"


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    [
        (get(), True),
        (get("/", "Connection: close"), False),
        (get(version="1.0"), False),
        (get("/", "Connection: keep-alive", version="1.0"), True),
    ],
)
def test_the_version_and_connection_header_decide_on_keeping_alive(
    data: bytes, *, keep_alive: bool
) -> None:
    parser = RequestParser(SMALL)
    parser.feed(data)

    assert parser.keep_alive is keep_alive


SMUGGLING = {
    "length and chunks": post(b"abc", "Transfer-Encoding: chunked"),
    "chunks and length": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths that differ": post(b"abc", "Content-Length: 4"),
    "two lengths that agree": post(b"abc", "Content-Length: 3"),
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a signed length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
    "a hexadecimal length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
    "an empty length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n",
    "an overflowing length": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 36893488147419103232\r\n\r\n",
    "a space before the colon": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n",
    "a coding twice": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a signed chunk size": chunked(b"abc").replace(b"\r\n3\r\n", b"\r\n+3\r\n"),
    "an overflowing chunk size": chunked(b"abc").replace(
        b"\r\n3\r\n", b"\r\n" + b"f" * 17 + b"\r\n"
    ),
    "a bare LF after a chunk size": chunked(b"abc").replace(b"\r\n3\r\n", b"\r\n3\n"),
    "a bare LF after a header": b"GET / HTTP/1.1\nHost: h\n\n",
    "a bare CR in a header": get("/", "X-A: b\rX-C: d"),
    "a folded header": get("/", "X-A: b\r\n c"),
    "a NUL in a header": get("/", "X-A: b\0c"),
    "a header without a name": get("/", ": b"),
    "a second Host": get("/", "Host: other"),
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "a space in the target": get("/a b"),
    "a fragment": get("/a#b"),
    "a NUL in the path": get("/a%00b"),
    "a line end in the path": get("/a%0d%0aX: y"),
    "half a character in the path": get("/%C3"),
    "half a character in the query": get("/?a=%C3"),
    "an ftp target": get("ftp://h/a"),
    "an unknown minor version": get(version="1.2"),
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("data", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    assert refusal(data) == (400, "malformed-request")


NOT_SPOKEN = {
    "HTTP/2": (get(version="2.0"), (505, "http-version")),
    "HTTP/0.9": (b"GET /\r\n\r\n", (505, "http-version")),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", (501, "unknown-method")),
    "CONNECT": (b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", (501, "no-upgrade")),
    "an upgrade": (get("/", "Upgrade: websocket", "Connection: upgrade"), (501, "no-upgrade")),
    "gzip": (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        (501, "unknown-coding"),
    ),
    "an unknown coding": (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\nabc",
        (501, "unknown-coding"),
    ),
    "another expectation": (get("/", "Expect: tea"), (417, "unknown-expectation")),
}


@pytest.mark.parametrize(("data", "expected"), NOT_SPOKEN.values(), ids=NOT_SPOKEN.keys())
def test_what_is_not_offered_is_said_so(data: bytes, expected: tuple[int, str]) -> None:
    assert refusal(data) == expected


@pytest.mark.parametrize(("size", "refused"), [(200, None), (201, (431, "headers-too-large"))])
def test_a_head_may_have_exactly_its_limit_in_bytes(
    size: int, refused: tuple[int, str] | None
) -> None:
    padding = "x" * (size - len(get("/", "X: ")))
    data = get("/", f"X: {padding}")

    assert len(data) == size
    assert refusal(data) == refused


def test_a_head_that_never_ends_is_refused_at_its_limit() -> None:
    assert outcome([b"GET / HTTP/1.1\r\nX: ", *[b"a"] * 180]) == ([], None, True)
    assert refusal(b"GET / HTTP/1.1\r\nX: " + b"a" * 181) == (431, "headers-too-large")


@pytest.mark.parametrize(("count", "refused"), [(4, None), (5, (431, "headers-too-large"))])
def test_headers_are_counted(count: int, refused: tuple[int, str] | None) -> None:
    assert refusal(get("/", *["A: b"] * count)) == refused


def test_trailers_count_as_headers() -> None:
    trailers = b"".join(b"X-%d: y\r\n" % number for number in range(4))

    data = chunked(b"abc").removesuffix(b"\r\n") + trailers + b"\r\n"

    assert refusal(data) == (431, "headers-too-large")


@pytest.mark.parametrize(("size", "refused"), [(50, None), (51, (413, "too-large"))])
def test_a_body_may_have_exactly_its_limit(size: int, refused: tuple[int, str] | None) -> None:
    assert refusal(post(b"b" * size)) == refused
    assert refusal(chunked(b"b" * (size - 20), b"b" * 20)) == refused


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes() -> None:
    assert refusal(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 51\r\n\r\n") == (
        413,
        "too-large",
    )


BOMBS = {
    "an extension": b"1;" + b"x" * 400,
    "many extensions": b"1;xxxxxxxxxxxxxxxxxxxx\r\na\r\n" * 40,
    "a trailer": b"0\r\nX: " + b"y" * 400,
}


@pytest.mark.parametrize("framing", BOMBS.values(), ids=BOMBS.keys())
def test_chunk_framing_is_not_free(framing: bytes) -> None:
    head = chunked().removesuffix(b"0\r\n\r\n")

    assert refusal(head + framing) == (413, "too-large")


SPECIMENS = [
    *SMUGGLING.values(),
    *(data for data, _ in NOT_SPOKEN.values()),
    *(chunked().removesuffix(b"0\r\n\r\n") + framing for framing in BOMBS.values()),
    get("/a") + post(b"one") + chunked(b"t", b"wo\r\n\r\n") + get("/z"),
    chunked(*[b"x"] * 50),
    get("/", "X: " + "a" * 400),
    get("/", *["A: b"] * 6, version="2.0"),
    post(b"b" * 60),
    post(b"ab", "Expect: 100-continue") + b"\r\n\r\n" + get("/x")[:20],
    chunked(b"\r\n", b"\r\n\r\n", b"\n\r\n") + post(b"\r\n\r\n"),
]


@pytest.mark.parametrize("data", SPECIMENS)
def test_one_cut_anywhere_changes_nothing(data: bytes) -> None:
    whole = outcome([data])

    for cut in range(len(data)):
        assert outcome([data[:cut], data[cut:]]) == whole, cut


@given(data=st.sampled_from(SPECIMENS), cuts=st.lists(st.integers(0, 600), max_size=6))
def test_the_result_does_not_depend_on_how_the_bytes_were_split(
    data: bytes, cuts: list[int]
) -> None:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    assert outcome(pieces) == outcome([data])


@pytest.mark.parametrize("data", SPECIMENS)
def test_one_byte_at_a_time_reads_like_all_at_once(data: bytes) -> None:
    assert outcome([bytes([byte]) for byte in data]) == outcome([data])


@given(
    noise=st.binary(max_size=300),
    start=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", chunked()[:-5], get()[:-2]]),
)
def test_noise_ends_in_requests_or_a_refusal_and_in_nothing_else(
    noise: bytes, start: bytes
) -> None:
    data = start + noise

    requests, refused, _ = outcome([data])

    assert refused is None or refused[0] in {400, 413, 417, 431, 501, 505}
    assert outcome([data[:7], data[7:]]) == (requests, refused, outcome([data])[2])


@given(bodies=st.lists(st.binary(max_size=50), max_size=5), in_chunks=st.booleans())
def test_bodies_arrive_as_they_were_sent(bodies: list[bytes], *, in_chunks: bool) -> None:
    data = b"".join(
        chunked(*(body[at : at + 7] for at in range(0, len(body), 7))) if in_chunks else post(body)
        for body in bodies
    )

    assert [body for *_, body in outcome([data])[0]] == bodies
