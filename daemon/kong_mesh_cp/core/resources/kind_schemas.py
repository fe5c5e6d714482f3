"""The JSON Schemas of whole resources, as the API shows and takes them.

Source: docs/wire/resource-api.md#resource-json
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind, ProtoKind
from kong_mesh_cp.core.resources.meta import MESH_PATTERN, NAME_CHARACTERS_MAX, NAME_PATTERN
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.core.schema.json_schema import Definitions, Schema, description
from kong_mesh_cp.core.schema.message_json_schema import message_properties
from kong_mesh_cp.core.schema.record_json_schema import record_schema
from kong_mesh_cp.core.schema.records import record

NAME: Final[Schema] = {
    "type": "string",
    "pattern": f"^{NAME_PATTERN}$",
    "maxLength": NAME_CHARACTERS_MAX,
}
MESH: Final[Schema] = {
    "type": "string",
    "pattern": f"^{MESH_PATTERN}$",
    "minLength": 1,
    "maxLength": NAME_CHARACTERS_MAX,
}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time", "readOnly": True}
_LABELS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}

# Docstrings cite the source of a rule, which says nothing to readers of the API's document.
_SOURCE = re.compile(r" \(docs/wire/[^)]*\)")


def resource_schema(
    resource_type: ResourceType, kind: Kind[Any], definitions: Definitions
) -> Schema:
    """A reference to the schema of a resource, which has the name of its type."""

    def make() -> Schema:
        return {
            "type": "object",
            "description": kind_description(resource_type, kind),
            "properties": {
                **meta_properties(resource_type, resource_type.name),
                **_body(resource_type, kind, definitions),
            },
            # Of a message nothing is required: its absent fields have their zero values.
            "required": [*_required(resource_type), *(["spec"] if resource_type.plugin else [])],
        }

    return definitions.pointer(resource_type.name, kind, make)


def inner_schema(resource_type: ResourceType, kind: Kind[Any], definitions: Definitions) -> Schema:
    """A reference to the schema of a resource without its meta, as overviews hold it."""

    def make() -> Schema:
        return {"type": "object", "properties": _body(resource_type, kind, definitions)}

    return definitions.pointer(f"{resource_type.name}Body", kind, make)


def meta_properties(resource_type: ResourceType, type_shown: str) -> Schema:
    """What every resource has beside its spec; `type_shown` is another one for overviews."""
    return {
        "type": {"const": type_shown},
        **({"mesh": MESH} if resource_type.is_mesh_scoped else {}),
        "name": NAME,
        # Both may be sent and are ignored: kumactl sends back what it got.
        "creationTime": _INSTANT,
        "modificationTime": _INSTANT,
        "labels": _LABELS,
    }


def kind_description(resource_type: ResourceType, kind: Kind[Any]) -> str:
    """What a type is for: the module of its spec begins with it, or the spec itself."""
    spec_type = _spec_type(kind)
    # The first line of the module says what the type is; with two types in one module it says both.
    first = (sys.modules[spec_type.__module__].__doc__ or "").partition("\n")[0]
    name, _, said = first.partition(":")
    if resource_type.name in name.split(" and "):
        return _SOURCE.sub("", f"{resource_type.singular}:{said}")
    return description(spec_type) or resource_type.singular


def _spec_type(kind: Kind[Any]) -> type:
    match kind:
        case PluginKind():
            return kind.spec_type
        case ProtoKind():
            return kind.message_type
        case _:
            raise TypeError(f"nobody knows what {kind.type} is made of")


def _required(resource_type: ResourceType) -> list[str]:
    # A schema puts `default` where a plugin type names no mesh.
    return [
        "type",
        *(["mesh"] if resource_type.is_mesh_scoped and not resource_type.plugin else []),
        "name",
    ]


def _body(resource_type: ResourceType, kind: Kind[Any], definitions: Definitions) -> Schema:
    match kind:
        case PluginKind():
            body = {
                "spec": record_schema(
                    record(kind.spec_type), definitions, f"{resource_type.name}Spec"
                )
            }
            if kind.status_type is not None:
                status = record(kind.status_type)
                body["status"] = record_schema(status, definitions, f"{resource_type.name}Status")
            return dict(body)
        case ProtoKind():
            return message_properties(kind.message_type, definitions)
        case _:
            raise TypeError(f"nobody knows what {kind.type} is made of")
