"""Steps that change a JSON document (RFC 6902), as patches of Envoy's resources are read.

Beside the RFC: an index that is negative counts from the end; a removal of what is not there does
nothing; an addition makes the objects and arrays on its way.

Source: docs/wire/envoy-patches.md#json-patches
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Final, NamedTuple

COPIED_CHARACTERS_MAX: Final = 1024 * 1024  # of all that steps copy; steps could double it each
_APPEND: Final = "-"

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class JsonPatchError(ValueError):
    """A step that does not apply; the text says which and why."""


class Step(NamedTuple):
    """One step. Values are JSON texts, so that equal steps are equal keys."""

    op: str  # add, remove, replace, move or copy
    path: str
    from_: str = ""
    value: str = "null"


def patched(document: Json, steps: Iterable[Step]) -> Json:
    """`document`, which is changed, after all `steps`. Raises: JsonPatchError."""
    root: dict[str, Json] = {"": document}
    copied = 0
    for step in steps:
        try:
            copied += _apply(root, step)
        except _DoesNotApplyError as error:
            raise JsonPatchError(f"{step.op} of {step.path!r} does not apply: {error}") from None
        if copied > COPIED_CHARACTERS_MAX:
            raise JsonPatchError(f"steps copy more than {COPIED_CHARACTERS_MAX} characters")
    return root.get("")


class _DoesNotApplyError(Exception):
    pass


def _apply(root: dict[str, Json], step: Step) -> int:
    """How many characters were copied."""
    match step.op:
        case "add":
            _ensure(root, _parts(step.path))
            _add(root, _parts(step.path), json.loads(step.value))
        case "remove":
            _remove(root, _parts(step.path))
        case "replace":
            _replace(root, _parts(step.path), json.loads(step.value))
        case "move":
            found = _get(root, _parts(step.from_))
            _remove(root, _parts(step.from_))
            _add(root, _parts(step.path), found)
        case "copy":
            text = json.dumps(_get(root, _parts(step.from_)))
            _add(root, _parts(step.path), json.loads(text))
            return len(text)
        case other:
            raise _DoesNotApplyError(f"{other!r} is no operation")
    return 0


def _parts(pointer: str) -> list[str]:
    """The way from the root, whose own name is empty."""
    if pointer and not pointer.startswith("/"):
        raise _DoesNotApplyError(f"{pointer!r} does not begin with /")
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")]


def _member(container: Json, part: str) -> Json:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list):
        index = _index(part, len(container))
        if index < len(container):
            return container[index]
    raise _DoesNotApplyError(f"there is no {part!r}")


def _index(part: str, length: int) -> int:
    """`length`: what it has to be smaller than, or -1 counts from."""
    try:
        index = int(part)
    except ValueError:
        raise _DoesNotApplyError(f"{part!r} is no index") from None
    index = index + length if index < 0 else index
    if index < 0:
        raise _DoesNotApplyError(f"{part!r} is before the first")
    return index


def _get(root: Json, parts: list[str]) -> Json:
    found = root
    for part in parts:
        found = _member(found, part)
    return found


def _ensure(root: Json, parts: list[str]) -> None:
    """All of the way but its end."""
    found = root
    for part, after in itertools.pairwise(parts):
        try:
            inner = _member(found, part)
        except _DoesNotApplyError:
            inner = None
        if inner is None:
            inner = [] if after in {_APPEND, "-1", "0"} else {}
            _put(found, part, inner)
        found = inner


def _add(root: Json, parts: list[str], value: Json) -> None:
    _put(_get(root, parts[:-1]) if len(parts) > 1 else root, parts[-1], value)


def _put(container: Json, part: str, value: Json) -> None:
    if isinstance(container, dict):
        container[part] = value
        return
    if not isinstance(container, list):
        raise _DoesNotApplyError(f"{part!r} would be in what is no object and no array")
    index = len(container) if part == _APPEND else _index(part, len(container) + 1)
    if index > len(container):
        raise _DoesNotApplyError(f"{part!r} is behind the end")
    container.insert(index, value)


def _remove(root: Json, parts: list[str]) -> None:
    try:
        container = _get(root, parts[:-1])
        _member(container, parts[-1])
    except _DoesNotApplyError:
        return
    if isinstance(container, dict):
        del container[parts[-1]]
    elif isinstance(container, list):
        del container[_index(parts[-1], len(container))]


def _replace(root: Json, parts: list[str], value: Json) -> None:
    container = _get(root, parts[:-1])
    _member(container, parts[-1])
    if isinstance(container, dict):
        container[parts[-1]] = value
    elif isinstance(container, list):
        container[_index(parts[-1], len(container))] = value
