"""Messages in pieces of any size."""

from __future__ import annotations

import pytest

from kong_mesh_cp.shell.grpc.messages import Inbox, framed
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import MESSAGE_BYTES_MAX

MESSAGES = [b"", b"a", b"b" * 5, b"c" * 1000, b"", b"d" * 70_000]
WIRE = b"".join(map(framed, MESSAGES))


def taken(inbox: Inbox) -> list[bytes]:
    found = []
    while (message := inbox.take()) is not None:
        found.append(message)
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 1000, len(WIRE)])
def test_messages_come_whole_however_they_are_cut(size: int) -> None:
    inbox = Inbox()
    found = []
    for at in range(0, len(WIRE), size):
        inbox.feed(WIRE[at : at + size])
        found += taken(inbox)

    assert found == MESSAGES
    assert inbox.size == 0


def test_what_is_not_taken_is_counted() -> None:
    inbox = Inbox()
    inbox.feed(framed(b"abc") + b"\0\0")

    assert inbox.size == 10
    assert inbox.take() == b"abc"
    assert inbox.size == 2
    assert inbox.take() is None


@pytest.mark.parametrize(
    ("prefix", "status"),
    [
        (b"\x01\0\0\0\1", Status.UNIMPLEMENTED),
        (b"\xff\0\0\0\0", Status.UNIMPLEMENTED),
        (b"\0" + (MESSAGE_BYTES_MAX + 1).to_bytes(4, "big"), Status.RESOURCE_EXHAUSTED),
    ],
)
def test_a_prefix_says_what_is_not_taken(prefix: bytes, status: Status) -> None:
    inbox = Inbox()
    inbox.feed(prefix)

    with pytest.raises(GrpcError) as caught:
        inbox.take()
    assert caught.value.status is status
