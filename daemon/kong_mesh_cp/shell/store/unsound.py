"""Rows that no release of this program has written: logged once and left out.

Who may write to the database, or edits the file of a store, can put anything into them. One such
row must not hide those beside it, nor end what reads them.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from json.scanner import make_scanner
from typing import Final, TypeVar

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.resources.key import ResourceKey

NAMED_ITEMS_MAX: Final = 1000  # rows that are named; of more, only that there are more
NAME_LETTERS_MAX: Final = 100  # of each part of a name, as it is shown
SHORT_CHARACTERS_MAX: Final = 1024  # of a text that is remembered once it was found sound
SHORT_TEXTS_MAX: Final = 4096  # that are remembered
# Without these it is unknown what else is void: a list of revocations that is left out revokes
# nothing. So a request for one of them by name is refused.
NEVER_LEFT_OUT: Final = ("GlobalSecret", "Secret")

Row = TypeVar("Row")
Read = TypeVar("Read")

log = logging.getLogger(__name__)


class UnsoundRowError(Exception):
    """What is wrong with the row under `key`, without what is in it."""

    def __init__(self, key: ResourceKey, fault: str) -> None:
        super().__init__(fault)
        self.key = key
        self.fault = fault

    @property
    def named(self) -> str:
        parts = (self.key.type, self.key.mesh, self.key.name)
        type_, mesh, name = (printable(f"{part}"[:NAME_LETTERS_MAX]) for part in parts)
        return f"{type_} '{name}'" + (f" of the mesh '{mesh}'" if mesh else "")


class UnsoundRows:
    """Those of one store that have been logged."""

    def __init__(self) -> None:
        self._named: set[ResourceKey] = set()

    def sound(self, rows: Iterable[Row], read: Callable[[Row], Read]) -> Iterator[Read]:
        """What `read` makes of `rows`, without those for which it raises UnsoundRowError."""
        for row in rows:
            try:
                yield read(row)
            except UnsoundRowError as error:
                self._tell(error)

    def found(self, rows: Iterable[Row], read: Callable[[Row], Read]) -> Iterator[Read]:
        """As `sound`, for rows that are asked for by name.

        Raises: StateError `store-row-unsound` for a secret.
        """
        for row in rows:
            try:
                yield read(row)
            except UnsoundRowError as error:
                self._tell(error)
                if error.key.type in NEVER_LEFT_OUT:
                    raise _unsound(error) from None

    def _tell(self, error: UnsoundRowError) -> None:
        if error.key in self._named or len(self._named) >= NAMED_ITEMS_MAX:
            return
        self._named.add(error.key)
        failure = _unsound(error)
        log.error("%s: %s; it is left out. %s", failure.code, failure.message, failure.hint)


def _unsound(error: UnsoundRowError) -> StateError:
    return StateError(
        f"the row of {error.named} in the store says what no release of this program has written:"
        f" {error.fault}",
        code="store-row-unsound",
        hint="Somebody else writes there: take that row out, and see who may.",
    )


def require_object(key: ResourceKey, column: str, text: object) -> None:
    """Raises: UnsoundRowError unless `text` is a JSON object without anything that is no JSON."""
    try:
        # A secret is held no longer than it is used.
        is_short = isinstance(text, str) and len(text) <= SHORT_CHARACTERS_MAX
        look = _is_short_object if is_short and key.type not in NEVER_LEFT_OUT else _is_object
        is_object = isinstance(text, str) and look(text)
    except (ValueError, RecursionError):
        raise UnsoundRowError(key, f"its {column} is not JSON") from None
    if not is_object:
        raise UnsoundRowError(key, f"its {column} is no JSON object")


def labels_of(key: ResourceKey, text: object) -> Mapping[str, str]:
    """Raises: UnsoundRowError."""
    try:
        labels = (
            (_short_texts(text) if len(text) <= SHORT_CHARACTERS_MAX else _texts(text))
            if isinstance(text, str)
            else None
        )
    except (ValueError, RecursionError):
        labels = None
    if labels is None:
        raise UnsoundRowError(key, "its labels are no JSON object of texts")
    return dict(labels)


def _is_object(text: str) -> bool:
    """Raises: ValueError or RecursionError for what is not JSON."""
    return isinstance(_decoded(text), dict)


def _texts(text: str) -> tuple[tuple[str, str], ...] | None:
    """The members of an object of texts, None of anything else. Raises: as `_is_object`."""
    found = _decoded(text)
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        return None
    return tuple(found.items())


# Rows are read over and over, thousands repeat the same few labels, and to look through the texts
# was half of the time that a list takes. What a text says depends on nothing but the text.
_is_short_object: Final = lru_cache(maxsize=SHORT_TEXTS_MAX)(_is_object)
_short_texts: Final = lru_cache(maxsize=SHORT_TEXTS_MAX)(_texts)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value


def _no_constant(_: str) -> object:
    raise ValueError


# Not the strict parser of documents: those were checked before they were stored, and each row is
# read more often than that.
_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_scan: Callable[[str, int], tuple[object, int]] = make_scanner(
    _DECODER  # type: ignore[arg-type]  # what it reads its settings from; typed too narrowly
)


def _decoded(text: str) -> object:
    """As the decoder does it, which looks for white space around what was stored without any.

    Raises: ValueError, RecursionError.
    """
    if text[:1] == "{" and text[-1] == "}":
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            pass
        else:
            if end == len(text):
                return value
    return _DECODER.decode(text)
