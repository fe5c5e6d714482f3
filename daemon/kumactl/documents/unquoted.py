"""Values that YAML reads as numbers or truths where texts belong: `version: 2`, `canary: yes`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.schema.violations import ROOT, FieldPath
from kumactl.errors import FieldError, KumactlError
from kumactl.json_value import JsonObject

_MAPS_OF_TEXTS: Final = frozenset({"labels", "matchLabels", "tags"})
# In the words of Go's decoder, and of a schema.
_SIGNS: Final = ("Go value of type string", "Go struct field", "must be of type string")
_REMEDY: Final = "put it between quotes"
_QUOTES: Final = "between quotes"  # the control plane says it already


def explain(error: KumactlError, body: JsonObject) -> None:
    """Where `error` is about a value that is no text, let it name those in labels and tags."""
    told = [error.message, *(wrong.reason for wrong in error.fields)]
    if not any(sign in text for text in told for sign in _SIGNS):
        return
    known = {wrong.field for wrong in error.fields}
    found = [each for each in _no_texts(body, ROOT) if each.field not in known]
    error.fields = (*(_with_remedy(wrong) for wrong in error.fields), *found)


def _with_remedy(wrong: FieldError) -> FieldError:
    if "of type string" not in wrong.reason or _QUOTES in wrong.reason:
        return wrong
    return FieldError(wrong.field, f"{wrong.reason}; {_REMEDY}")


def _no_texts(value: object, path: FieldPath) -> Iterator[FieldError]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _MAPS_OF_TEXTS and isinstance(item, dict):
                yield from _of_map(item, path.field(key))
            else:
                yield from _no_texts(item, path.field(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _no_texts(item, path.index(number))


def _of_map(texts: JsonObject, path: FieldPath) -> Iterator[FieldError]:
    for key, value in texts.items():
        if isinstance(value, bool | int | float):
            what = "true or false" if isinstance(value, bool) else f"the number {value}"
            yield FieldError(str(path.key(key)), f"YAML reads {what} here: {_REMEDY}")
