"""A notice is a revision or nothing that is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.store.postgres.address import PostgresAddress
from kong_mesh_cp.shell.store.postgres.feed.notices import (
    REVISION_MAX,
    StrangeNoticeError,
    StrangeNotices,
    notice_of,
    revision_of,
)
from support.storms.forged_notices import FORGED


@given(st.integers(0, REVISION_MAX))
def test_a_notice_is_a_revision_in_digits_and_nothing_else(revision: int) -> None:
    assert notice_of(revision) == f"{revision}"
    assert revision_of(notice_of(revision).encode()) == revision


def test_the_list_of_an_older_release_is_a_notice_whatever_it_lists() -> None:
    assert revision_of(b'[[1,"updated",1,"Mesh","","m"],[2') is None


@given(st.binary(max_size=8000))
def test_anything_else_is_strange(notice: bytes) -> None:
    if (notice.isdigit() and len(notice) < 20) or notice.startswith(b"[["):
        return
    with pytest.raises(StrangeNoticeError):
        revision_of(notice)


@pytest.mark.parametrize("notice", FORGED, ids=range(len(FORGED)))
def test_what_may_be_forged_is_a_number_in_range_or_not_read_at_all(notice: str) -> None:
    if notice.isascii() and notice.isdigit() and len(notice) < 20 and int(notice) <= REVISION_MAX:
        assert revision_of(notice.encode()) == int(notice)
    elif notice.startswith("[["):
        assert revision_of(notice.encode()) is None
    else:
        with pytest.raises(StrangeNoticeError):
            revision_of(notice.encode())


def test_strange_notices_are_logged_once_an_hour_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = StrangeNotices(
        PostgresAddress(host="db", port=5432, user="u", password="p", database="kong_mesh")
    )
    for now in range(0, 7201, 2):
        strange.note(float(now))
    counts = [message.partition("ignored: ")[2].partition(".")[0] for message in caplog.messages]
    assert counts == ["1", "1800", "1800"]
