"""On which terms calls are taken by a server: how large, how packed, how patient it is."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # of a peer; grpc's own default
FIRST_MESSAGE_SECONDS: Final = 30.0  # a call that says nothing for so long is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTerms:
    """Of all methods of one listener."""

    message_bytes_max: int = MESSAGE_BYTES_MAX  # after unpacking
    takes_gzip: bool = False
    # Paths of methods whose client may say nothing for ever: it waits for what it is asked.
    silent: frozenset[str] = frozenset()

    @property
    def encodings(self) -> bytes:
        """The value of `grpc-accept-encoding`."""
        return b"identity,gzip" if self.takes_gzip else b"identity"


USUAL: Final = CallTerms()
