"""The gate that all frames of a peer go through, however their bytes were cut on their way."""

from __future__ import annotations

import pytest

from kong_mesh_cp.shell.http.h2.bounds import FRAMES_AT_ONCE
from kong_mesh_cp.shell.http.h2.frames import PREFACE, Allowance, FrameError, FrameGate
from support.http2.raw_frames import (
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    data,
    frame,
    goaway,
    headers,
    ping,
    settings,
)

OPENING = PREFACE + settings()


def gate() -> FrameGate:
    return FrameGate(header_bytes_max=1000, now=0.0)


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 33, 100_000])
def test_all_but_goaway_goes_through(size: int) -> None:
    said = OPENING + headers(1) + data(1, bytes(3000)) + ping()
    rest = headers(3) + data(3, b"") + ping()
    wire = said + goaway() + rest + goaway(last=7)
    made = gate()

    passed = b"".join(
        piece
        for at in range(0, len(wire), size)
        for piece in made.pieces(wire[at : at + size], 0.0)
    )

    assert passed == said + rest
    assert made.peer_leaves
    assert made.highest_stream_id == 3


def test_a_piece_has_a_bounded_number_of_frames() -> None:
    made = gate()
    list(made.pieces(OPENING, 0.0))
    wire = data(1) * (2 * FRAMES_AT_ONCE + 1)

    pieces = list(made.pieces(wire, 0.0))

    assert [len(each) // len(data(1)) for each in pieces] == [FRAMES_AT_ONCE] * 2 + [1]
    assert b"".join(pieces) == wire


def test_what_came_before_an_error_goes_through() -> None:
    pieces = gate().pieces(OPENING + ping() + b"\xff\xff\xff\0\0\0\0\0\1", 0.0)

    assert next(pieces) == OPENING + ping()
    with pytest.raises(FrameError, match="longer than"):
        next(pieces)


@pytest.mark.parametrize("cut", range(1, len(PREFACE)))
def test_the_preface_is_checked_as_it_comes(cut: int) -> None:
    made = gate()
    assert list(made.pieces(PREFACE[:cut], 0.0)) == [PREFACE[:cut]]

    with pytest.raises(FrameError, match="not HTTP/2"):
        list(made.pieces(b"\0", 0.0))


def test_the_bytes_of_a_header_block_are_counted_over_its_frames() -> None:
    made = gate()
    block = frame(HEADERS, 0, 1, bytes(500)) + frame(CONTINUATION, 0, 1, bytes(500))
    list(made.pieces(OPENING + block, 0.0))

    with pytest.raises(FrameError, match="header block is too long"):
        list(made.pieces(frame(CONTINUATION, END_HEADERS, 1, b"x"), 0.0))


def test_an_allowance_comes_back_with_time() -> None:
    allowance = Allowance("frames", (3, 2.0), 0.0)
    for _ in range(3):
        allowance.spend(0.0)
    with pytest.raises(FrameError, match="too many frames"):
        allowance.spend(0.1)

    rested = Allowance("frames", (3, 2.0), 0.0)
    for each in range(100):
        rested.spend(each * 0.5)
