"""What both variants of a stream share: order of types, one response in flight, refusals, counts.

Pure and synchronous: whoever owns a stream sends what it returns, in that order, and calls it again
with what arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.discovery.exchanges import Acknowledged, Counts, Refusal, Request, Response
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.discovery.type_order import ENVOY, TypeOrder


class OrderedStream:
    """One stream of one client. Mutable; its owner does not call it from two tasks at once."""

    def __init__(self, types: TypeOrder = ENVOY) -> None:
        self._types = types

    def request(self, request: Request) -> tuple[Response, ...]:
        """What to send now that the client said this."""
        raise NotImplementedError

    def publish(self, snapshot: Snapshot) -> tuple[Response, ...]:
        """What to send now that the client is to have this."""
        raise NotImplementedError

    @property
    def counts(self) -> Mapping[str, Counts]:
        """By type URL; types that were never asked for are left out."""
        raise NotImplementedError

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        """The last refusal of each type, by type URL, also when it was mended since."""
        raise NotImplementedError

    @property
    def refused(self) -> frozenset[str]:
        """The types of which the last response was refused and nothing was taken since."""
        raise NotImplementedError

    @property
    def acknowledged(self) -> Mapping[str, Acknowledged]:
        """What the client has, by type URL."""
        raise NotImplementedError

    @property
    def in_sync(self) -> bool:
        """The client has taken all that it asked for of the snapshot, and nothing is in flight."""
        raise NotImplementedError
