"""Regular expressions for origins of web pages, matched in time that grows with the text alone.

Python's own matcher goes back and forth, and a nested repetition makes that exponential: who
sends an Origin would choose for how long. Here a pattern becomes the positions of its characters
(Glushkov), and a text is read once, with the set of positions where a match may be. What cannot be
matched so (references back, looking around, possessive repetitions) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from re import _constants as of_re
from re import _parser
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass

POSITIONS_MAX: Final = 512  # characters of a pattern, with repetitions written out
ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:/[]")  # of origins, lower case
_STEPS_KEPT_MAX: Final = 4096

_STARTS: Final = frozenset({of_re.AT_BEGINNING, of_re.AT_BEGINNING_STRING})
_ENDS: Final = frozenset({of_re.AT_END, of_re.AT_END_STRING})


class OriginPatternError(ValueError):
    """The pattern is none, or cannot be matched in bounded time."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Sets of positions, as bits: where a match of the part may begin and end."""

    nullable: bool
    first: int = 0
    last: int = 0


_EMPTY: Final = _Part(nullable=True)


class OriginPattern:
    """Whether an origin is, as a whole and in any case, what the pattern says."""

    def __init__(self, pattern: str) -> None:
        """Raises: OriginPatternError."""
        self._characters: list[frozenset[str]] = []  # that each position takes
        self._follow: list[int] = []  # positions that may come after each
        try:
            tree = _parser.parse(pattern, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise OriginPatternError(str(error)) from None
        whole = self._sequence(tree, starts=True, ends=True)
        self._begin, self._end, self._nullable = whole.first, whole.last, whole.nullable
        self._taking = {
            each: sum(1 << at for at, taken in enumerate(self._characters) if each in taken)
            for each in ALPHABET
        }
        self._steps: dict[tuple[int, str], int] = {}

    def matches(self, origin: str) -> bool:
        """Linear in the length of `origin`, which is one: see `Origin.parse`."""
        text = origin.lower()
        if not text:
            return self._nullable
        at = self._begin & self._taking.get(text[0], 0)
        for each in text[1:]:
            if not at:
                return False
            at = self._step(at, each)
        return bool(at & self._end)

    def _step(self, at: int, character: str) -> int:
        known = self._steps.get((at, character))
        if known is not None:
            return known
        following, rest = 0, at
        while rest:
            lowest = rest & -rest
            following |= self._follow[lowest.bit_length() - 1]
            rest ^= lowest
        following &= self._taking.get(character, 0)
        if len(self._steps) >= _STEPS_KEPT_MAX:
            self._steps.clear()
        self._steps[at, character] = following
        return following

    def _sequence(self, items: Sequence[Any], *, starts: bool, ends: bool) -> _Part:
        made, count = _EMPTY, len(items)
        for index, (what, argument) in enumerate(items):
            first, last = starts and index == 0, ends and index == count - 1
            part = self._item(what, argument, starts=first, ends=last)
            made = self._joined(made, part)
        return made

    def _item(self, what: Any, argument: Any, *, starts: bool, ends: bool) -> _Part:
        match what:
            case of_re.LITERAL | of_re.NOT_LITERAL | of_re.ANY | of_re.IN:
                return self._single(_characters(what, argument))
            case of_re.BRANCH:
                return _either(
                    [self._sequence(each, starts=starts, ends=ends) for each in argument[1]]
                )
            case of_re.SUBPATTERN if not argument[2]:  # no flag is taken back
                return self._sequence(argument[3], starts=starts, ends=ends)
            case of_re.MAX_REPEAT | of_re.MIN_REPEAT:
                return self._repeated(*argument)
            case of_re.AT if (starts and argument in _STARTS) or (ends and argument in _ENDS):
                return _EMPTY
            case _:
                raise OriginPatternError(f"{str(what).lower()} cannot be matched in bounded time")

    def _single(self, characters: frozenset[str]) -> _Part:
        if len(self._characters) == POSITIONS_MAX:
            raise _too_large()
        self._characters.append(characters)
        self._follow.append(0)
        here = 1 << (len(self._characters) - 1)
        return _Part(nullable=False, first=here, last=here)

    def _repeated(self, least: int, most: int, items: Sequence[Any]) -> _Part:
        unbounded = most == of_re.MAXREPEAT
        copies = max(least, 1) if unbounded else most
        if copies > POSITIONS_MAX:
            raise _too_large()
        made = _EMPTY
        for index in range(copies):
            part = self._sequence(items, starts=False, ends=False)
            if unbounded and index == copies - 1:
                self._link(part.last, part.first)
            if index >= least:
                part = _Part(nullable=True, first=part.first, last=part.last)
            made = self._joined(made, part)
        return made

    def _joined(self, before: _Part, after: _Part) -> _Part:
        self._link(before.last, after.first)
        return _Part(
            nullable=before.nullable and after.nullable,
            first=before.first | (after.first if before.nullable else 0),
            last=after.last | (before.last if after.nullable else 0),
        )

    def _link(self, ends: int, begins: int) -> None:
        while ends:
            lowest = ends & -ends
            self._follow[lowest.bit_length() - 1] |= begins
            ends ^= lowest


def _too_large() -> OriginPatternError:
    return OriginPatternError(
        f"it has more than {POSITIONS_MAX} characters, with repetitions written out"
    )


def _either(parts: Sequence[_Part]) -> _Part:
    first = last = 0
    for each in parts:
        first |= each.first
        last |= each.last
    return _Part(nullable=any(each.nullable for each in parts), first=first, last=last)


def _characters(what: Any, argument: Any) -> frozenset[str]:
    match what:
        case of_re.ANY:
            return ALPHABET
        case of_re.LITERAL:
            return frozenset(each for each in ALPHABET if _is(each, argument, argument))
        case of_re.NOT_LITERAL:
            return frozenset(each for each in ALPHABET if not _is(each, argument, argument))
        case _:
            negated = argument[0][0] is of_re.NEGATE
            items = argument[1:] if negated else argument
            return frozenset(
                each for each in ALPHABET if any(_in(each, *item) for item in items) is not negated
            )


def _is(character: str, least: int, most: int) -> bool:
    return least <= ord(character) <= most or least <= ord(character.upper()) <= most


def _in(character: str, what: Any, argument: Any) -> bool:
    match what:
        case of_re.LITERAL:
            return _is(character, argument, argument)
        case of_re.RANGE:
            return _is(character, *argument)
        case _:
            return _CATEGORIES[argument](character)


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"


_CATEGORIES: Final[Mapping[Any, Callable[[str], bool]]] = {
    of_re.CATEGORY_DIGIT: str.isdigit,
    of_re.CATEGORY_NOT_DIGIT: lambda each: not each.isdigit(),
    of_re.CATEGORY_SPACE: str.isspace,
    of_re.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    of_re.CATEGORY_WORD: _word,
    of_re.CATEGORY_NOT_WORD: lambda each: not _word(each),
}
