"""What RFC 9113 demands of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.http2.grpc_peers import PREFACE, serving_grpc
from support.http2.raw_frames import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    POST,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    data,
    error_code,
    goaway,
    headers,
    ping,
    raw_http2,
    settings,
    window_update,
)
from support.http2.rfc9113_cases import CASES, CONNECTION, OK, Case


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.name)
async def test_what_a_client_says_is_taken_or_refused_as_the_rfc_says(
    tmp_path: Path, case: Case
) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(case.said)
        if case.comes == OK:
            await client.say(ping(b"finished"))
            while (await client.until(PING, flags=ACK)).payload != b"finished":
                pass
            assert not [each for each in client.seen if each.kind in {GOAWAY, RST_STREAM}]
            return
        if case.comes == CONNECTION:
            found = await client.until(GOAWAY)
            await client.rest()
        else:
            found = await client.until_any({GOAWAY, RST_STREAM})

    assert error_code(found) in case.codes


async def test_what_does_not_begin_as_http_2_is_ended(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server, opened=False) as client:
        await client.say(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert error_code(await client.until(GOAWAY)) == PROTOCOL_ERROR
        await client.rest()


async def test_the_first_frame_is_settings(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server, opened=False) as client:
        await client.say(PREFACE, headers(1))
        assert error_code(await client.until(GOAWAY)) == PROTOCOL_ERROR
        await client.rest()


async def test_settings_are_acknowledged(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.until(SETTINGS, flags=ACK)


async def test_a_ping_is_answered_with_its_own_bytes(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(ping(b"whatever"))
        assert (await client.until(PING, flags=ACK)).payload == b"whatever"


async def test_no_data_without_a_window(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(settings((4, 0)), headers(1), ping())
        await client.until(PING, flags=ACK)
        await client.until(HEADERS, stream_id=1)
        assert not [each for each in client.seen if each.kind == DATA]
        await client.say(settings((4, 1)), ping())
        assert len((await client.until(DATA, stream_id=1)).payload) == 1
        await client.say(window_update(1, 100))
        assert (await client.until(DATA, stream_id=1)).flags & END_STREAM


async def test_a_window_that_has_become_negative_is_made_up_for_first(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(settings((4, 3)), headers(1))
        await client.until(DATA, stream_id=1)
        await client.say(settings((4, 2)), window_update(1, 1), ping())
        await client.until(PING, flags=ACK)
        assert len([each for each in client.seen if each.kind == DATA]) == 1
        await client.say(window_update(1, 1))
        assert len((await client.until(DATA, stream_id=1)).payload) == 1


async def test_a_stream_too_many_is_refused_and_no_other(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        for each in range(101):
            await client.say(headers(1 + 2 * each, POST, ends=False))
        refused = await client.until(RST_STREAM)
        assert (refused.stream_id, error_code(refused)) == (201, 7)
        await client.say(data(1, ends=True))
        await client.until(HEADERS, stream_id=1)


async def test_a_goaway_of_the_client_ends_the_connection_after_its_streams(
    tmp_path: Path,
) -> None:
    async with serving_grpc(tmp_path) as server, raw_http2(server) as client:
        await client.say(headers(1, POST, ends=False), goaway(), data(1, ends=True))
        await client.until(DATA, stream_id=1)
        await client.rest()
