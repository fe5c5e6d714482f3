"""Large messages do not hold up the loop: docs/wire/zone-sync.md#messages."""

from __future__ import annotations

import threading

import pytest

from kong_mesh_cp.core.schema.wire_format import BinaryError
from kong_mesh_cp.shell.zone_sync.reading import INLINE_BYTES_MAX, read_beside
from kong_mesh_cp.shell.zone_sync.sync_messages import read_response


def thread_of(_message: bytes) -> int:
    return threading.get_ident()


async def test_a_small_message_is_read_at_once() -> None:
    assert await read_beside(thread_of, bytes(INLINE_BYTES_MAX)) == threading.get_ident()


async def test_a_large_message_is_read_in_a_thread() -> None:
    assert await read_beside(thread_of, bytes(INLINE_BYTES_MAX + 1)) != threading.get_ident()


async def test_what_is_wrong_with_a_large_message_is_told_as_of_a_small_one() -> None:
    with pytest.raises(BinaryError, match="the bytes end inside a field"):
        await read_beside(read_response, b"\x12\x00" * INLINE_BYTES_MAX + b"\x12\x01")
