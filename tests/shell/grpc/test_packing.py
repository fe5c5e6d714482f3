"""Packed messages, whole and broken."""

from __future__ import annotations

import gzip

import pytest

from kong_mesh_cp.shell.grpc.messages import Inbox, framed
from kong_mesh_cp.shell.grpc.packing import packed, unpacked
from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import CallTerms

MESSAGE = b"a message " * 1000


def test_what_was_packed_is_the_same_again() -> None:
    assert unpacked(packed(MESSAGE), len(MESSAGE)) == MESSAGE
    assert unpacked(gzip.compress(MESSAGE), len(MESSAGE)) == MESSAGE


def test_no_more_is_unpacked_than_is_taken() -> None:
    with pytest.raises(GrpcError) as caught:
        unpacked(packed(bytes(64 * 1024 * 1024)), len(MESSAGE))
    assert caught.value.status is Status.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("data", [b"", b"none", packed(MESSAGE)[:-1], packed(MESSAGE) + b"x"])
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(GrpcError) as caught:
        unpacked(data, len(MESSAGE))
    assert caught.value.status is Status.INTERNAL


def test_packed_messages_are_taken_of_who_says_so_where_they_are_taken() -> None:
    for terms, said in ((CallTerms(takes_gzip=True), False), (CallTerms(), True)):
        inbox = Inbox(terms, gzip=said)
        inbox.feed(framed(packed(MESSAGE), is_packed=True))
        with pytest.raises(GrpcError) as caught:
            inbox.take()
        assert caught.value.status is Status.UNIMPLEMENTED

    inbox = Inbox(CallTerms(takes_gzip=True), gzip=True)
    inbox.feed(framed(packed(MESSAGE), is_packed=True) + framed(b"plain"))
    found = [(inbox.take(), inbox.is_packed), (inbox.take(), inbox.is_packed)]
    assert found == [(packed(MESSAGE), True), (b"plain", False)]
