"""Messages of other control planes are read beside the loop where they are large.

A peer can write a message that takes seconds to read: it holds up its own call, and those that
send others of the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import trio

INLINE_BYTES_MAX: Final = 8 * 1024  # some ten milliseconds, at worst
# Each may become 200 MB of memory: see FIELDS_MAX of core/schema/wire_format.
_AT_ONCE: Final = trio.CapacityLimiter(2)

T = TypeVar("T")


async def read_beside(read: Callable[[bytes], T], message: bytes) -> T:
    """What `read` makes of `message`. Raises what it raises."""
    if len(message) <= INLINE_BYTES_MAX:
        return read(message)
    return await trio.to_thread.run_sync(read, message, limiter=_AT_ONCE)
