"""A notice is a revision or nothing: it says whether to look, and never what there is to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.store.postgres.notices import (
    REVISION_MAX,
    StrangeNoticeError,
    calls_for_a_look,
    notice_of,
)
from support.forged_notices import FORGED

REVISIONS = st.integers(0, REVISION_MAX)


@given(REVISIONS, REVISIONS)
def test_a_revision_calls_for_a_look_if_it_is_not_known(told: int, known: int) -> None:
    assert calls_for_a_look(notice_of(told).encode(), known) == (told > known)


def test_the_list_of_an_older_release_calls_for_a_look_whatever_it_lists() -> None:
    assert calls_for_a_look(b'[[1,"updated",1,"Mesh","","m"],[2', 7)


@given(st.binary(max_size=8000))
def test_anything_else_is_strange_or_a_hint(notice: bytes) -> None:
    try:
        assert calls_for_a_look(notice, 0) in {True, False}
    except StrangeNoticeError:
        assert not notice.isdigit() or len(notice) > 18


@pytest.mark.parametrize("notice", FORGED, ids=range(len(FORGED)))
def test_what_may_be_forged_is_judged_without_reading_it(notice: str) -> None:
    plain = notice.isascii() and notice.isdigit() and len(notice) < 20
    if plain and int(notice) <= REVISION_MAX:
        assert calls_for_a_look(notice.encode(), 10**18) == (int(notice) > 10**18)
    elif notice.startswith("[["):
        assert calls_for_a_look(notice.encode(), 10**18)
    else:
        with pytest.raises(StrangeNoticeError):
            calls_for_a_look(notice.encode(), 0)
