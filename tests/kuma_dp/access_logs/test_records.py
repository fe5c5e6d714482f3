"""Lines of Envoy, hostile ones among them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.access_logs.records import (
    LINE_BYTES_MAX,
    Collector,
    Lines,
    MalformedRecordError,
    Record,
    read_record,
)
from support.suites.growth import GROWTH_MAX, growth

COLLECTOR = Collector("logs.example.org", 9999)


def record(message: object) -> bytes:
    return json.dumps({"address": "logs.example.org:9999", "message": message}).encode()


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (record('GET / "200"'), b'GET / "200"\n'),
        (record({"status": 200, "path": "/é<"}), '{"status":200,"path":"/é<"}\n'.encode()),
        (record(None), b"null\n"),
        (record("two\nlines"), b"two\nlines\n"),
        (b"logs.example.org:9999;GET / 200; x", b"GET / 200; x\n"),
        (b"logs.example.org:9999;\xff", b"\xff\n"),
        (b"logs.example.org:9999;", b"\n"),
    ],
)
def test_a_record_is_sent_as_a_line(line: bytes, sent: bytes) -> None:
    assert read_record(line) == Record(COLLECTOR, sent)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("10.0.0.1:80", "10.0.0.1:80"), ("[::1]:80", "[::1]:80"), (":80", "localhost:80")],
)
def test_addresses_are_those_of_go(address: str, shown: str) -> None:
    assert str(read_record(f"{address};x".encode()).collector) == shown


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no semicolon",
        b"{}",
        b"[1]",
        b"null",
        b'{"address": 1, "message": "x"}',
        b'{"address": "host", "message": "x"}',
        *(f"host:{port};x".encode() for port in ("", "0", "65536", "http", "-1", "٣", "9" * 99)),
        b"[" * LINE_BYTES_MAX,
    ],
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        read_record(line)


@given(st.binary(max_size=300))
def test_any_line_is_a_record_or_refused(line: bytes) -> None:
    try:
        found = read_record(line)
    except MalformedRecordError:
        return
    assert found.line.endswith(b"\n")
    assert 0 < found.collector.port < 65536


@given(st.lists(st.binary(max_size=40)), st.data())
def test_lines_do_not_depend_on_how_their_bytes_came(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    lines = Lines()
    found = [
        line
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)
        for line in lines.feed(whole[begin:end])
    ]
    assert found == whole.split(b"\n")[:-1]
    assert lines.left_out == 0


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_not() -> None:
    lines = Lines()
    assert lines.feed(b"a" * LINE_BYTES_MAX) == []
    assert lines.feed(b"a" * LINE_BYTES_MAX) == []
    assert lines.feed(b"a\nb\n") == [b"b"]
    assert lines.left_out == 1
    assert lines.feed(b"c" * LINE_BYTES_MAX + b"\n") == [b"c" * LINE_BYTES_MAX]
    assert lines.left_out == 1


def test_an_endless_line_takes_no_time_for_what_came_before() -> None:
    def work(size: int) -> Callable[[], object]:
        def feed() -> None:
            lines = Lines()
            for _ in range(size):
                lines.feed(b"a" * 100)

        return feed

    assert growth(work, 20_000) < GROWTH_MAX
