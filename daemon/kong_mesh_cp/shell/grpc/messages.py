"""Messages in the bytes of a stream: five bytes of prefix each. No I/O."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.shell.grpc.status import GrpcError, Status
from kong_mesh_cp.shell.grpc.terms import USUAL, CallTerms

PREFIX_BYTES: Final = 5  # a flag for compression, and the length

_PLAIN, _PACKED = 0, 1  # the flag


def framed(message: bytes, *, is_packed: bool = False) -> bytes:
    return bytes((is_packed,)) + len(message).to_bytes(4, "big") + message


class Inbox:
    """Feed it bytes, take whole messages.

    `is_packed` is of the message that was taken last: it has to be unpacked.
    """

    __slots__ = ("_bytes", "_terms", "_unpacks", "is_packed")

    def __init__(self, terms: CallTerms = USUAL, *, gzip: bool = False) -> None:
        """`gzip`: the peer says that it packs some of its messages so."""
        self._bytes: bytes | bytearray = b""
        self._terms = terms
        self._unpacks = gzip and terms.takes_gzip
        self.is_packed = False

    @property
    def size(self) -> int:
        """Bytes that it keeps: of messages that were not taken, or are not there yet."""
        return len(self._bytes)

    def feed(self, data: bytes | bytearray) -> None:
        # Most messages come as a whole. One in pieces is gathered in a bytearray: the time that
        # takes grows with its size and not with the square of it.
        if not self._bytes:
            self._bytes = bytes(data)
        else:
            if isinstance(self._bytes, bytes):
                self._bytes = bytearray(self._bytes)
            self._bytes += data

    def take(self) -> bytes | None:
        """The next message; None: it is not there yet.

        Raises: GrpcError as soon as the prefix says what will not be taken.
        """
        held = self._bytes
        if len(held) < PREFIX_BYTES:
            return None
        flag, most = held[0], self._terms.message_bytes_max
        if flag != _PLAIN and (flag != _PACKED or not self._unpacks):
            raise GrpcError(Status.UNIMPLEMENTED, "compressed messages are not taken here")
        size = int.from_bytes(held[1:PREFIX_BYTES], "big")
        if size > most:
            text = f"a message of {size} bytes is longer than the {most} taken here"
            raise GrpcError(Status.RESOURCE_EXHAUSTED, text)
        end = PREFIX_BYTES + size
        if len(held) < end:
            return None
        message = bytes(held[PREFIX_BYTES:end])
        self.is_packed = flag == _PACKED
        if len(held) == end:
            self._bytes = b""
        elif isinstance(held, bytearray):
            del held[:end]
        else:
            self._bytes = bytearray(memoryview(held)[end:])
        return message
