"""The word that was probably meant: near enough, whatever its case, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.near_words import WORD_CHARACTERS_MAX, did_you_mean, nearest

WORDS = ["run", "reload", "config", "meshes", "MeshTimeout"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rnu", "run"),
        ("RUN", "run"),
        ("meshs", "meshes"),
        ("meshtimout", "MeshTimeout"),
        ("confg", "config"),
        ("xyz", None),
        ("", None),
        ("r" * (WORD_CHARACTERS_MAX + 1), None),
    ],
)
def test_a_mistyped_word_leads_to_the_nearest_known_one(word: str, meant: str | None) -> None:
    assert nearest(word, WORDS) == meant


def test_a_hint_names_the_word_or_nothing() -> None:
    assert did_you_mean("rnu", WORDS) == '; did you mean "run"?'
    assert did_you_mean("zzz", WORDS) == ""


@given(word=st.text(max_size=30), known=st.lists(st.text(max_size=12), max_size=8))
def test_only_known_words_are_suggested(word: str, known: list[str]) -> None:
    assert nearest(word, known) in {None, *known}


@given(known=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, unique=True))
def test_a_word_that_is_known_is_its_own_nearest(known: list[str]) -> None:
    assert nearest(known[0], known) == known[0]
