"""Messages in the bytes of a stream: five bytes of prefix each. No I/O."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.shell.grpc.status import GrpcError, Status

PREFIX_BYTES: Final = 5  # a flag for compression, and the length
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # of a peer; grpc's own default


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


class Inbox:
    """Feed it bytes, take whole messages."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes: bytes | bytearray = b""

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
        if held[0] != 0:
            raise GrpcError(Status.UNIMPLEMENTED, "compressed messages are not taken here")
        size = int.from_bytes(held[1:PREFIX_BYTES], "big")
        if size > MESSAGE_BYTES_MAX:
            text = f"a message of {size} bytes is longer than the {MESSAGE_BYTES_MAX} taken here"
            raise GrpcError(Status.RESOURCE_EXHAUSTED, text)
        end = PREFIX_BYTES + size
        if len(held) < end:
            return None
        message = bytes(held[PREFIX_BYTES:end])
        if len(held) == end:
            self._bytes = b""
        elif isinstance(held, bytearray):
            del held[:end]
        else:
            self._bytes = bytearray(memoryview(held)[end:])
        return message
