"""Rows that no release of this program has written: logged once and left out.

Who may write to the database, or edits the file of a store, can put anything into them. One such
row must not hide those beside it, nor end what reads them.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.resources.key import ResourceKey

NAMED_ITEMS_MAX: Final = 1000  # rows that are logged; of more, only that there are more
NAME_LETTERS_MAX: Final = 100  # of each part of a name, as it is logged
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
        document = _DECODER.decode(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        raise UnsoundRowError(key, f"its {column} is not JSON") from None
    if not isinstance(document, dict):
        raise UnsoundRowError(key, f"its {column} is no JSON object")


def labels_of(key: ResourceKey, text: object) -> Mapping[str, str]:
    """Raises: UnsoundRowError."""
    try:
        labels = _DECODER.decode(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        labels = None
    if isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values()):
        return labels
    raise UnsoundRowError(key, "its labels are no JSON object of texts")


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
