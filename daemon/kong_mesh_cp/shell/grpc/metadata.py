"""What stands in the headers of a call: metadata, its deadline, and the words of its end."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Final

from kong_mesh_cp.shell.grpc.status import GrpcError, Status

TIMEOUT_DIGITS_MAX: Final = 8
_SECONDS_OF: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

# The pieces of a grpc-message that need no escape: printable ASCII but "%".
_PLAIN: Final = frozenset(range(0x20, 0x7F)) - {ord("%")}
MESSAGE_TEXT_BYTES_MAX: Final = 4096  # of a grpc-message before it is escaped; clients bound theirs


def metadata_of(head: Iterable[tuple[bytes, bytes]]) -> dict[str, tuple[str, ...]]:
    """All fields but the pseudo ones; names in lower case, values in their order.

    The values of names that end in `-bin` are as they came: see `binary_values`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for raw_name, raw_value in head:
        if raw_name.startswith(b":"):
            continue
        name = raw_name.decode("latin-1")
        found[name] = (*found.get(name, ()), raw_value.decode("latin-1"))
    return found


def binary_values(metadata: Mapping[str, tuple[str, ...]], name: str) -> tuple[bytes, ...]:
    """The values of `name`, which ends in `-bin`: base64, padded or not, some joined by commas.

    Raises: GrpcError (INVALID_ARGUMENT) for what is no base64.
    """
    values: list[bytes] = []
    for joined in metadata.get(name, ()):
        for text in joined.split(","):
            stripped = text.strip().rstrip("=")
            try:
                values.append(b64decode(stripped + "=" * (-len(stripped) % 4), validate=True))
            except (binascii.Error, ValueError) as error:
                message = f"the metadata {name} is not base64"
                raise GrpcError(Status.INVALID_ARGUMENT, message) from error
    return tuple(values)


def timeout_of(metadata: Mapping[str, tuple[str, ...]]) -> float | None:
    """Seconds that the client waits for the end of the call; None: for ever.

    Raises: GrpcError (INTERNAL, as grpc-go says it) for a malformed one.
    """
    values = metadata.get("grpc-timeout")
    if values is None:
        return None
    digits, unit = values[0][:-1], values[0][-1:]
    known = _SECONDS_OF.get(unit)
    if known is None or not 0 < len(digits) <= TIMEOUT_DIGITS_MAX:
        raise GrpcError(Status.INTERNAL, "malformed grpc-timeout")
    if not (digits.isascii() and digits.isdecimal()):
        raise GrpcError(Status.INTERNAL, "malformed grpc-timeout")
    return int(digits) * known


def escaped(message: str) -> bytes:
    """`message` as a value of grpc-message: percent-encoded UTF-8."""
    data = message.encode("utf-8", "replace")[:MESSAGE_TEXT_BYTES_MAX]
    if _PLAIN.issuperset(data):
        return data
    return b"".join(bytes((each,)) if each in _PLAIN else b"%%%02X" % each for each in data)
