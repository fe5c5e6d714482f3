"""Messages that were packed for the way: gzip, as far as it leaves no more than is taken."""

from __future__ import annotations

import zlib
from typing import Final

from kong_mesh_cp.shell.grpc.status import GrpcError, Status

INLINE_BYTES_MAX: Final = 16 * 1024  # packed: more is unpacked in a thread, beside the loop
_GZIP: Final = 16 + zlib.MAX_WBITS


def unpacked(data: bytes, bytes_max: int) -> bytes:
    """Raises: GrpcError for what is no gzip, or too long behind it."""
    reader = zlib.decompressobj(_GZIP)
    try:
        message = reader.decompress(data, bytes_max + 1)
    except zlib.error as error:
        raise GrpcError(Status.INTERNAL, f"a message is no gzip: {error}") from None
    if len(message) > bytes_max:
        text = f"a message is longer than the {bytes_max} bytes taken here"
        raise GrpcError(Status.RESOURCE_EXHAUSTED, text)
    if not reader.eof or reader.unused_data:
        raise GrpcError(Status.INTERNAL, "a message is no gzip: it ends elsewhere")
    return message


def packed(message: bytes) -> bytes:
    writer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return writer.compress(message) + writer.flush()
