"""The formats of `-o`: a table for people; JSON and YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from kumactl.documents import yaml_text
from kumactl.json_value import JsonObject


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


_IDENTITY: Final = ("creationTime", "labels", "mesh", "modificationTime", "name", "type")


def json_document(value: object, *, indent: int = 2) -> str:
    """`value` indented by that many spaces, in the order of the server."""
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    # Only inside of its strings can there be such characters, and there an escape is the same.
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def yaml_document(value: object) -> str:
    """`value` with sorted keys; of a resource with an inline spec, its identity comes first."""
    if isinstance(value, Mapping) and "type" in value and "spec" not in value:
        return yaml_text.render(_identity_first(value), sort_keys=False)
    return yaml_text.render(value)


def _identity_first(resource: JsonObject) -> JsonObject:
    identity = {key: _sorted(resource[key]) for key in _IDENTITY if key in resource}
    spec = {key: _sorted(resource[key]) for key in sorted(resource) if key not in identity}
    return {**identity, **spec}


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def render(value: object, form: Format) -> str:
    """`value` as JSON or YAML; a table is made by those who know its columns."""
    return json_document(value) if form is Format.JSON else yaml_document(value)
