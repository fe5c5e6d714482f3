"""The FNV-1a hash, which is in names that clients and proxies of several makers agree on."""

from __future__ import annotations

from typing import Final

_OFFSET: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = 2**64 - 1


def fnv64a(data: bytes) -> int:
    """Of 64 bits. Not for what others may choose: collisions are made at will."""
    found = _OFFSET
    for byte in data:
        found = ((found ^ byte) * _PRIME) & _MASK
    return found
