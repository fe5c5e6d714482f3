"""Text that PostgreSQL cannot keep: NUL, which names never hold but queries may."""

from __future__ import annotations

from collections.abc import Mapping


def kept(text: str) -> str:
    """`text` without NUL. Part of a text stays part of it."""
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def given_back(text: str) -> str:
    """What `kept` was given."""
    if "\\" not in text:
        return text
    return "\\".join(part.replace("\\0", "\0") for part in text.split("\\\\"))


def kept_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {kept(key): kept(value) for key, value in labels.items()}


def given_back_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {given_back(key): given_back(value) for key, value in labels.items()}
