"""Reads answers of a server that may say anything: what has another shape counts as absent."""

from __future__ import annotations

from collections.abc import Mapping

JsonObject = Mapping[str, object]


def at(value: object, *path: str) -> object:
    """The value at `path` inside of objects, or None."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def text_at(value: object, *path: str) -> str:
    """The text at `path`, or ""."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def count_at(value: object, *path: str) -> int:
    """The number at `path`, or 0. Kuma writes 64-bit numbers as texts."""
    found = at(value, *path)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= 20:
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    return 0


def true_at(value: object, *path: str) -> bool:
    """Whether `true` stands at `path`."""
    return at(value, *path) is True


def object_at(value: object, *path: str) -> JsonObject:
    """The object at `path`, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def objects_at(value: object, *path: str) -> list[JsonObject]:
    """The objects of the list at `path`; members of another shape are left out."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def texts_at(value: object, *path: str) -> list[str]:
    """The texts of the list at `path`."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []
