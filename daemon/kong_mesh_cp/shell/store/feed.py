"""The change feed of a store: informs tasks of changes without waiting for any of them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from kong_mesh_cp.usecases.following.pending import PendingChanges
from kong_mesh_cp.usecases.ports.resource_store import FeedItem, ResourceChange

HISTORY_ITEMS_MAX = 4096  # changes kept for readers that come later


class ChangeFeed:
    """Changes in the order of their revisions, from a store to any number of readers.

    Belongs to the event loop. Memory is bound by HISTORY_ITEMS_MAX and, for each reader, by
    PENDING_ITEMS_MAX.
    """

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._history: deque[ResourceChange] = deque(maxlen=HISTORY_ITEMS_MAX)
        self._readers: set[PendingChanges] = set()

    def publish(self, changes: Sequence[ResourceChange]) -> None:
        """`changes` can be read from the store by now. Those that are known are left out.

        A gap before them means that some were missed: then it is a `resync`.
        """
        new = [change for change in changes if change.revision > self.revision]
        if not new:
            return
        if new[0].revision != self.revision + 1:
            self.resync(new[-1].revision)
            return
        self.revision = new[-1].revision
        self._history.extend(new)
        for reader in self._readers:
            reader.add(new)

    def resync(self, revision: int) -> None:
        """Changes up to `revision` may have been missed: every reader has to read anew."""
        self.revision = revision
        self._history.clear()
        for reader in self._readers:
            reader.resync(revision)

    @contextmanager
    def reading(self, since: int | None) -> Iterator[AsyncIterator[FeedItem]]:
        reader = PendingChanges()
        if since is not None and since != self.revision:
            missed = [change for change in self._history if change.revision > since]
            if missed and missed[0].revision == since + 1:
                reader.add(missed)
            else:
                reader.resync(self.revision)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
