"""The known word that a mistyped one probably stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    import difflib
else:  # only a mistake needs it
    difflib = lazy_import("difflib")

WORD_CHARACTERS_MAX: Final = 100  # no word is longer, so nothing near it is worth looking for
_NEAR_MIN: Final = 0.6  # difflib's ratio: 1 is the same word; `rnu` and `run` have 0.67


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is nearest to `word`, whatever their case; None if none is near."""
    if not word or len(word) > WORD_CHARACTERS_MAX:
        return None
    by_folded = {each.casefold(): each for each in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=_NEAR_MIN)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "run"?` behind a refusal of `word`, or nothing."""
    found = nearest(word, known)
    return "" if found is None else f'; did you mean "{found}"?'
