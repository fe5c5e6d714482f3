"""Texts with NUL are kept without it and come back; what is part of a text stays part of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.shell.store.postgres.text import (
    given_back,
    given_back_labels,
    kept,
    kept_labels,
)

TEXT = st.text(st.sampled_from("\\\0" + "0a"))


@given(TEXT)
def test_a_text_is_kept_without_nul_and_comes_back(text: str) -> None:
    assert "\0" not in kept(text)
    assert given_back(kept(text)) == text


@given(TEXT, TEXT)
def test_two_texts_are_kept_as_two(one: str, other: str) -> None:
    assert (kept(one) == kept(other)) == (one == other)


@given(TEXT, TEXT, TEXT)
def test_a_part_stays_a_part(before: str, part: str, after: str) -> None:
    assert kept(part) in kept(before + part + after)


@given(st.dictionaries(TEXT, TEXT))
def test_labels_come_back(labels: dict[str, str]) -> None:
    assert given_back_labels(kept_labels(labels)) == labels


def test_what_holds_neither_nul_nor_backslash_is_kept_as_it_is() -> None:
    assert kept("kuma.io/zone é 𝕏") == "kuma.io/zone é 𝕏"
