"""What RFC 9113 (and 7541) demand of a server, case by case, as h2spec has them.

A case is what a client says after the preface, and what must come of it: a working connection, an
error of the stream (RST_STREAM, or of the connection with the same code: section 5.4.2 allows it),
or an error of the connection (GOAWAY, and the end).
"""

from __future__ import annotations

from typing import NamedTuple

from support.http2.raw_frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GET,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    POST,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    block,
    data,
    frame,
    goaway,
    headers,
    ping,
    reset,
    settings,
    window_update,
)

OK = "works"
STREAM = "an error of the stream"
CONNECTION = "an error of the connection"

WHOLE = block(GET)
LONG = 2**14 + 1
MAX = 2**31 - 1
PRIORITY_1 = (1).to_bytes(4, "big") + b"\x0f"  # depends on stream 1


class Case(NamedTuple):
    """One of the table."""

    name: str
    said: bytes
    comes: str
    codes: tuple[int, ...] = ()


def with_(*fields: tuple[str, str], base: tuple[tuple[str, str], ...] = GET) -> bytes:
    return headers(1, (*base, *fields))


def without(name: str) -> bytes:
    return headers(1, [each for each in GET if each[0] != name])


def replaced(name: str, value: str) -> bytes:
    return headers(1, [(key, value if key == name else old) for key, old in GET])


CASES = [
    Case("a request", headers(1), OK),
    Case("a request with a body", headers(1, POST, ends=False) + data(1, ends=True), OK),
    Case("a HEAD", replaced(":method", "HEAD"), OK),
    Case(
        "trailers",
        headers(1, POST, ends=False) + data(1) + headers(1, [("x-test", "ok")]),
        OK,
    ),
    Case(
        "padding",
        headers(1, POST, ends=False) + frame(DATA, PADDED | END_STREAM, 1, b"\x05x" + bytes(5)),
        OK,
    ),
    Case(
        "a header block in pieces",
        frame(HEADERS, END_STREAM, 1, WHOLE[:5])
        + frame(CONTINUATION, 0, 1, WHOLE[5:9])
        + frame(CONTINUATION, END_HEADERS, 1, WHOLE[9:]),
        OK,
    ),
    Case("a priority", headers(1, flags=0) + frame(PRIORITY, 0, 3, PRIORITY_1), OK),
    Case("4.1: a frame of an unknown type", frame(0x16, 0, 0, bytes(8)) + headers(1), OK),
    Case("4.1: undefined flags", ping(flags=0x16) + headers(1), OK),
    Case("4.1: the reserved bit", frame(PING, 0, 0x80000000, bytes(8)) + headers(1), OK),
    Case(
        "4.2: the longest frame",
        headers(1, POST, ends=False) + data(1, bytes(2**14), ends=True),
        OK,
    ),
    Case(
        "4.2: DATA that is too long",
        headers(1, POST, ends=False) + data(1, bytes(LONG)),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case(
        "4.2: HEADERS that are too long",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, WHOLE + bytes(LONG)),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case(
        "4.3: an invalid header block",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x40\x01\x40"),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
    Case(
        "4.3: PRIORITY inside of a header block",
        frame(HEADERS, 0, 1, WHOLE) + frame(PRIORITY, 0, 3, PRIORITY_1),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "4.3: HEADERS of another stream inside of a header block",
        frame(HEADERS, 0, 1, WHOLE) + headers(3),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "4.3: GOAWAY inside of a header block",
        frame(HEADERS, 0, 1, WHOLE) + goaway(),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case("5.1: DATA on an idle stream", data(1), CONNECTION, (PROTOCOL_ERROR,)),
    Case("5.1: RST_STREAM on an idle stream", reset(1), CONNECTION, (PROTOCOL_ERROR,)),
    Case("5.1: WINDOW_UPDATE on an idle one", window_update(1, 100), CONNECTION, (PROTOCOL_ERROR,)),
    Case(
        "5.1: CONTINUATION on an idle stream",
        frame(CONTINUATION, END_HEADERS, 1, WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case("5.1: DATA after the end", headers(1) + data(1), STREAM, (STREAM_CLOSED,)),
    Case("5.1: HEADERS after the end", headers(1) + headers(1), STREAM, (STREAM_CLOSED,)),
    Case(
        "5.1: CONTINUATION after the end",
        headers(1) + frame(CONTINUATION, END_HEADERS, 1, WHOLE),
        CONNECTION,
        (STREAM_CLOSED, PROTOCOL_ERROR),
    ),
    Case(
        "5.1: DATA after RST_STREAM",
        headers(1, POST, ends=False) + reset(1) + data(1),
        STREAM,
        (STREAM_CLOSED,),
    ),
    Case(
        "5.1: HEADERS after RST_STREAM",
        headers(1, POST, ends=False) + reset(1) + headers(1),
        STREAM,
        (STREAM_CLOSED,),
    ),
    Case("5.1.1: an even stream", headers(2), CONNECTION, (PROTOCOL_ERROR,)),
    Case("5.1.1: a lower stream", headers(5) + headers(3), CONNECTION, (PROTOCOL_ERROR,)),
    Case(
        "5.3.1: HEADERS that depend on themselves",
        frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, PRIORITY_1 + WHOLE),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "5.3.1: PRIORITY that depends on itself",
        frame(PRIORITY, 0, 1, PRIORITY_1),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case("5.5: an unknown frame with a stream", headers(1) + frame(0xFF, 0, 1, b"x"), OK),
    Case(
        "5.5: an unknown frame inside of a header block",
        frame(HEADERS, END_STREAM, 1, WHOLE) + frame(0xFF, 0, 0, b"x"),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case("6.1: DATA without a stream", data(0), CONNECTION, (PROTOCOL_ERROR,)),
    Case(
        "6.1: padding longer than the frame",
        headers(1, POST, ends=False) + frame(DATA, PADDED | END_STREAM, 1, b"\x06test"),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.2: HEADERS, not ended, then HEADERS",
        frame(HEADERS, 0, 1, WHOLE) + frame(HEADERS, END_HEADERS, 1, WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.2: HEADERS without a stream",
        frame(HEADERS, END_STREAM | END_HEADERS, 0, WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.2: padding longer than HEADERS",
        frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes((len(WHOLE) + 2,)) + WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.3: PRIORITY without a stream",
        frame(PRIORITY, 0, 0, PRIORITY_1),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.3: PRIORITY of a wrong length",
        headers(1) + frame(PRIORITY, 0, 1, b"\x80\0\0\1"),
        STREAM,
        (FRAME_SIZE_ERROR,),
    ),
    Case("6.4: RST_STREAM without a stream", reset(0), CONNECTION, (PROTOCOL_ERROR,)),
    Case(
        "6.4: RST_STREAM of a wrong length",
        headers(1, POST, ends=False) + frame(RST_STREAM, 0, 1, b"\0\0\0"),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case(
        "6.5: SETTINGS, acknowledged with a payload",
        frame(SETTINGS, ACK, 0, bytes(1)),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case(
        "6.5: SETTINGS with a stream",
        frame(SETTINGS, 0, 1, b"\0\3\0\0\0\x64"),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.5: SETTINGS of a wrong length",
        frame(SETTINGS, 0, 0, b"\0\3\0"),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case("6.5.2: ENABLE_PUSH neither 0 nor 1", settings((2, 2)), CONNECTION, (PROTOCOL_ERROR,)),
    Case("6.5.2: a window too large", settings((4, 2**31)), CONNECTION, (FLOW_CONTROL_ERROR,)),
    Case("6.5.2: frames too short", settings((5, 2**14 - 1)), CONNECTION, (PROTOCOL_ERROR,)),
    Case("6.5.2: frames too long", settings((5, 2**24)), CONNECTION, (PROTOCOL_ERROR,)),
    Case("6.5.2: an unknown setting", settings((0xFF, 1)) + headers(1), OK),
    Case("6.5.3: one setting twice", settings((4, 100), (4, 65_535)) + headers(1), OK),
    Case("6.7: PING", ping() + headers(1), OK),
    Case("6.7: PING with a stream", frame(PING, 0, 1, bytes(8)), CONNECTION, (PROTOCOL_ERROR,)),
    Case("6.7: PING of a wrong length", ping(bytes(6)), CONNECTION, (FRAME_SIZE_ERROR,)),
    Case("6.8: GOAWAY with a stream", frame(GOAWAY, 0, 1, bytes(8)), CONNECTION, (PROTOCOL_ERROR,)),
    Case("6.9: a window grown by nothing", window_update(0, 0), CONNECTION, (PROTOCOL_ERROR,)),
    Case(
        "6.9: the window of a stream grown by nothing",
        headers(1, POST, ends=False) + window_update(1, 0),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.9: WINDOW_UPDATE of a wrong length",
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"),
        CONNECTION,
        (FRAME_SIZE_ERROR,),
    ),
    Case(
        "6.9.1: a window grown beyond the most",
        window_update(0, MAX) + window_update(0, MAX),
        CONNECTION,
        (FLOW_CONTROL_ERROR,),
    ),
    Case(
        "6.9.1: the window of a stream grown beyond the most",
        headers(1, POST, ends=False) + window_update(1, MAX) + window_update(1, MAX),
        STREAM,
        (FLOW_CONTROL_ERROR,),
    ),
    Case(
        "6.10: CONTINUATION after the end of the block",
        headers(1, POST, ends=False) + frame(CONTINUATION, END_HEADERS, 1, block([("x", "y")])),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.10: CONTINUATION without a stream",
        frame(HEADERS, END_STREAM, 1, WHOLE) + frame(CONTINUATION, END_HEADERS, 0, b""),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "6.10: CONTINUATION after DATA",
        headers(1, POST, ends=False) + data(1) + frame(CONTINUATION, END_HEADERS, 1, WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case("7: an unknown error code", headers(1, POST, ends=False) + reset(1, 0xFF) + ping(), OK),
    Case(
        "8.1: trailers without an end",
        headers(1, POST, ends=False) + headers(1, [("x-test", "ok")], ends=False),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case("8.2.1: a name in upper case", with_(("X-TEST", "ok")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3: an unknown pseudo field", with_((":test", "ok")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3: one of answers", with_((":status", "200")), STREAM, (PROTOCOL_ERROR,)),
    Case(
        "8.3: one in trailers",
        headers(1, POST, ends=False) + headers(1, [(":method", "200")]),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "8.3: one after another field",
        headers(1, [*GET[:2], ("x", "y"), *GET[2:]]),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case("8.2.2: Connection", with_(("connection", "keep-alive")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.2.2: TE", with_(("te", "trailers, deflate")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: an empty path", replaced(":path", ""), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: no method", without(":method"), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: no scheme", without(":scheme"), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: no path", without(":path"), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: two methods", with_((":method", "GET")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: two schemes", with_((":scheme", "https")), STREAM, (PROTOCOL_ERROR,)),
    Case("8.3.1: two paths", with_((":path", "/")), STREAM, (PROTOCOL_ERROR,)),
    Case(
        "8.1.1: a length that is not that of the body",
        headers(1, (*POST, ("content-length", "1")), ends=False) + data(1, b"test", ends=True),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "8.1.1: nor of all its pieces",
        headers(1, (*POST, ("content-length", "1")), ends=False)
        + data(1, b"test")
        + data(1, b"test", ends=True),
        STREAM,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "8.4: a promise of the client",
        frame(PUSH_PROMISE, END_HEADERS, 1, (3).to_bytes(4, "big") + WHOLE),
        CONNECTION,
        (PROTOCOL_ERROR,),
    ),
    Case(
        "RFC 7541 2.3.3: an index beyond the table",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, WHOLE + b"\xff\xff\xff\xff\x00"),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
    Case(
        "RFC 7541 4.2: the table resized at the end of a block",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, WHOLE + b"\x20"),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
    Case(
        "RFC 7541 5.2: padding longer than 7 bits",
        frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            1,
            WHOLE + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff",
        ),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
    Case(
        "RFC 7541 6.1: index zero",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x80" + WHOLE),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
    Case(
        "RFC 7541 6.3: a table larger than was offered",
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x3f\xe2\x1f" + WHOLE),
        CONNECTION,
        (COMPRESSION_ERROR, PROTOCOL_ERROR),
    ),
]
