"""What one control plane sends about its changes, the others take from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.store.feed import ChangeFeed
from kong_mesh_cp.shell.store.postgres.notices import (
    CHANGES_TOLD_MAX,
    NOTICE_BYTES_MAX,
    notices,
    take_notice,
)
from kong_mesh_cp.usecases.resource_ports import ChangeKind, ResourceChange

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
KEYS = st.builds(ResourceKey, TEXT, TEXT, TEXT)
KINDS = st.sampled_from(ChangeKind)


class Heard(ChangeFeed):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(0)
        self.changes: list[ResourceChange] = []

    def publish(self, changes: object) -> None:
        assert isinstance(changes, list)
        self.changes += changes


@given(st.lists(st.tuples(KEYS, KINDS), max_size=60))
def test_changes_are_told_whole_and_in_order(told: list[tuple[ResourceKey, ChangeKind]]) -> None:
    changes = [ResourceChange(key, kind, 2 * n, n) for n, (key, kind) in enumerate(told, start=1)]
    feed = Heard()
    for notice in notices(changes):
        assert len(notice.encode()) <= NOTICE_BYTES_MAX
        assert "\0" not in notice
        take_notice(feed, notice)
    assert feed.changes == changes


@pytest.mark.parametrize(("count", "letters"), [(CHANGES_TOLD_MAX + 1, 1), (2, NOTICE_BYTES_MAX)])
def test_what_is_too_much_is_told_as_a_revision(count: int, letters: int) -> None:
    changes = [
        ResourceChange(ResourceKey("T", "m", "x" * letters), ChangeKind.UPDATED, n, n)
        for n in range(1, count + 1)
    ]
    feed = ChangeFeed(0)
    (notice,) = notices(changes)
    take_notice(feed, notice)

    assert feed.revision == count
