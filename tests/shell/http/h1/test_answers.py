from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.http.h1.answers import DateLine, encode, encode_chunk, encode_streaming
from kong_mesh_cp.shell.http.messages import Response, StreamingResponse


def encoded(response: Response) -> bytes:
    return encode(response, date_line=b"", http_1_0=False, close=False, head_only=False)


@given(st.integers(0, 250_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)))
def test_the_date_is_written_as_mail_writes_it(now: datetime) -> None:
    line = DateLine(lambda: now).at(0.0)

    assert line == f"Date: {format_datetime(now, usegmt=True)}\r\n".encode()


def test_the_date_is_made_once_a_second_and_changes_with_it() -> None:
    started = datetime(2026, 1, 1, 0, 0, 0, 750_000, tzinfo=UTC)
    elapsed, calls = 0.0, 0

    def wall_clock() -> datetime:
        nonlocal calls
        calls += 1
        return started + timedelta(seconds=elapsed)

    date = DateLine(wall_clock)
    second = slice(-10, -6)
    assert date.at(100)[second] == b"0:00"
    elapsed = 0.2
    assert date.at(100.2)[second] == b"0:00"
    assert calls == 1
    elapsed = 0.25
    assert date.at(100.25)[second] == b"0:01"
    elapsed = 1.2
    assert date.at(101.2)[second] == b"0:01"
    elapsed = 1.25
    assert date.at(101.25)[second] == b"0:02"
    assert calls == 3


ALWAYS = (
    b"Cache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
)


def test_no_content_has_no_length() -> None:
    nothing = encoded(Response(204, content_type=""))
    assert nothing == b"HTTP/1.1 204 No Content\r\n" + ALWAYS + b"\r\n"


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404, 413, 431, 500, 503])
@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain"])
def test_no_answer_is_kept_guessed_at_or_put_into_a_foreign_page(
    status: int, content_type: str
) -> None:
    assert ALWAYS in encoded(Response(status, b"{}", content_type))
    held = StreamingResponse(
        b"{}\n", lambda stream: stream.wait_closed(), lambda: None, status, content_type
    )
    for http_1_0 in (False, True):
        assert ALWAYS in encode_streaming(held, date_line=b"", http_1_0=http_1_0)


def test_an_empty_body_has_length_zero() -> None:
    assert encoded(Response(200, content_type="")).endswith(b"Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b"])
def test_a_header_that_would_break_the_response_is_a_defect(value: str) -> None:
    with pytest.raises(ValueError, match="would break the response"):
        encoded(Response(200, headers=(("X-A", value),)))


def test_a_chunk_tells_its_size_in_hexadecimal() -> None:
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
