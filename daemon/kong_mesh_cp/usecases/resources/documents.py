"""Between a resource as it is stored, as the core reads it, and as clients see it.

What is stored as `spec` are the members that follow the meta: the fields of the spec, or one
member `spec`. So an answer is put together without reading the spec again.

Source: docs/wire/resource-api.md#resource-json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.formats.json_text import JsonText
from kong_mesh_cp.core.resources.bodies import shown_time
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.kinds import KINDS

S = TypeVar("S")

JsonDocument = dict[str, object]

LARGE_BYTES: Final = 64 * 1024  # of spec and status: reading and writing it takes milliseconds


def spec_text(kind: Kind[Any], spec: object) -> str:
    """What is stored for `spec`."""
    return text_of(kind.render(spec))


def stored_form(kind: Kind[Any], spec: object) -> tuple[JsonDocument, str]:
    """What is stored for `spec`, as JSON and as its text."""
    document = kind.render(spec)
    return document, text_of(document)


def status_text(kind: Kind[Any], document: Mapping[str, object]) -> str | None:
    """What is stored for the status in `document`, an empty one where there is none.

    None for types without a status. Raises: ParseError, InvalidResourceError.
    """
    if kind.parse_status is None or kind.render_status is None:
        return None
    return text_of(kind.render_status(kind.parse_status(document)))


def text_of(document: Mapping[str, object]) -> str:
    """The text that is stored for `document`: one form, so that equal ones have equal texts."""
    """The text that is stored for `document`: one form, so that equal ones have equal texts."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def members(stored: StoredResource) -> JsonDocument:
    """What follows the meta: the spec, inline or as `spec`, without the status."""
    document: JsonDocument = json.loads(stored.spec)
    return document


def document(stored: StoredResource) -> JsonDocument:
    """The resource as a whole."""
    document = {**shown_meta(stored, stored.key.type), **members(stored)}
    if stored.status is not None:
        document["status"] = json.loads(stored.status)
    return document


def shown_text(stored: StoredResource) -> JsonDocument | JsonText:
    """As `shown`, to be written and no more. A large resource is not read for that, and comes
    without indentation, which can be most of a text.
    """
    if stored.text_bytes <= LARGE_BYTES:
        return document(stored)
    meta = text_of(shown_meta(stored, stored.key.type))
    return JsonText(_joined(meta, stored.spec, _member("status", stored.status)))


def shown_overview_text(
    stored: StoredResource,
    type_shown: str,
    parts: Mapping[str, StoredResource | None],
    *,
    empty: bool = False,
) -> JsonDocument | JsonText:
    """What is stored for each of `parts` below the meta of `stored`.

    A part that is not there is left out, or shown as one without members (`empty`).
    """
    there = {name: part for name, part in parts.items() if part is not None}
    missing: JsonDocument = {name: {} for name in parts.keys() - there.keys()} if empty else {}
    meta = shown_meta(stored, type_shown)
    if sum(part.text_bytes for part in there.values()) <= LARGE_BYTES:
        return {**meta, **{name: members(part) for name, part in there.items()}, **missing}
    shown = (_member(name, part.spec) for name, part in there.items())
    return JsonText(_joined(text_of(meta), *shown, text_of(missing)))


def _member(name: str, text: str | None) -> str:
    return "{}" if text is None else f"{{{json.dumps(name)}:{text}}}"


def _joined(*objects: str) -> str:
    """One JSON object with the members of all; no two have one in common."""
    inner = (each.strip()[1:-1].strip() for each in objects)
    return f"{{{','.join(each for each in inner if each)}}}"


def shown_meta(stored: StoredResource, type_shown: str, name: str | None = None) -> JsonDocument:
    """The members every resource begins with; `type_shown` is another one for overviews."""
    key = stored.key
    document: JsonDocument = {"type": type_shown}
    if TYPES[key.type].is_mesh_scoped:
        document["mesh"] = key.mesh
    document["name"] = name or key.name
    document["creationTime"] = shown_time(stored.created_at)
    document["modificationTime"] = shown_time(stored.modified_at)
    if stored.labels and name is None:
        document["labels"] = dict(stored.labels)
    return document


def resource_of(stored: StoredResource) -> Resource[object]:
    """The resource with its typed spec, whatever its type is; `resource_as` where that is known.

    Raises: ParseError or InvalidResourceError for what no release of this program has stored.
    """
    kind = KINDS[stored.key.type]
    meta = shown_meta(stored, stored.key.type)
    return Resource(
        type=stored.key.type,
        mesh=stored.key.mesh,
        name=stored.key.name,
        labels=stored.labels,
        spec=kind.parse({**meta, **members(stored)}),
        created_at=stored.created_at,
        modified_at=stored.modified_at,
        version=stored.version,
    )


def with_status(stored: StoredResource, resource: Resource[object]) -> Resource[object]:
    """`resource` with its typed status, if it has one. Raises: ParseError, InvalidResourceError."""
    parse = KINDS[stored.key.type].parse_status
    if parse is None or stored.status is None:
        return resource
    return replace(resource, status=parse({"status": json.loads(stored.status)}))


def spec_document(stored: StoredResource) -> JsonDocument:
    """The JSON of its spec, which costs a fraction of reading it with its types.

    That is the object under `spec` of a type that has one; all its fields of one that has not.
    """
    document = members(stored)
    nested = document.get("spec")
    return nested if isinstance(nested, dict) else document


def resource_as(spec_type: type[S], stored: StoredResource) -> Resource[S]:
    """A resource whose kind has specs of this type. Raises: as above."""
    resource = resource_of(stored)
    if not has_spec(resource, spec_type):
        raise TypeError(f"{stored.key.type} has no spec of the type {spec_type.__name__}")
    return resource


def spec_as(spec_type: type[S], stored: StoredResource) -> S:
    """As `resource_as`, its spec alone."""
    return resource_as(spec_type, stored).spec


def readable_as(spec_type: type[S], stored: StoredResource) -> S | None:
    """As `spec_as`; None for what no release of this program has stored."""
    try:
        return spec_as(spec_type, stored)
    except (ParseError, InvalidResourceError):
        return None
