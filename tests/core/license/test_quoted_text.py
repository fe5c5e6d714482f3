from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.quoted_text import (
    NAME_CHARACTERS_MAX,
    QUOTED_CHARACTERS_MAX,
    plain,
    quoted,
)
from support.licenses.licenses import LICENSE_KEY


@given(st.text())
def test_whatever_is_quoted_is_short_ascii_on_one_line(text: str) -> None:
    shown = quoted(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= QUOTED_CHARACTERS_MAX * 10 + 2


def test_what_is_too_long_is_described_and_not_cut() -> None:
    assert quoted("5_0") == "'5_0'"
    assert quoted("x" * QUOTED_CHARACTERS_MAX).strip("'") == "x" * QUOTED_CHARACTERS_MAX
    assert quoted(LICENSE_KEY) == "a text of 43 characters"


@given(st.text())
def test_a_name_is_shown_on_one_line(text: str) -> None:
    assert plain(text).isprintable()


def test_a_name_is_shown_as_people_write_it() -> None:
    assert plain("Müller & 株式会社") == "Müller & 株式会社"
    assert plain("x" * NAME_CHARACTERS_MAX) == "x" * NAME_CHARACTERS_MAX
    assert plain("x" * (NAME_CHARACTERS_MAX + 1)) == "x" * NAME_CHARACTERS_MAX + "…"
