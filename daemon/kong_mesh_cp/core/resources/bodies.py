"""Whole resources in the HTTP API: bodies into drafts, resources into bodies.

Source: docs/wire/resource-api.md#resource-json, docs/wire/resource-api.md#writing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError, is_object, mismatch
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.labels import Deployment, label_violations
from kong_mesh_cp.core.resources.meta import (
    NAME_CHARACTERS_MAX,
    Resource,
    ResourceMeta,
    meta_violations,
    read_meta,
    url_violations,
)
from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.core.schema.violations import Violation

DEFAULT_MESH: Final = "default"  # of a plugin policy whose body names none


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that could be read; it may still be wrong."""

    meta: ResourceMeta
    spec: Any  # the kind's typed spec


def read_draft(kind: Kind[Any], resource_type: ResourceType, document: object) -> Draft:
    """What a client has put. Raises: ParseError, InvalidResourceError.

    Of the two generations of types the older ignores what it does not know; the newer one has a
    schema, and its mesh is `default` unless it is given.
    """
    if resource_type.plugin and not is_object(document) and document is not None:
        raise mismatch(document, "map[string]interface {}")
    if is_object(document) and resource_type.plugin:
        # The schema speaks first: it tells more than a decoder does.
        spec = kind.parse(document)
        meta = read_meta(document)
        if resource_type.is_mesh_scoped and document.get("mesh") is None:
            # A schema default in Kuma, applied before the URL is compared with the body.
            meta = replace(meta, mesh=DEFAULT_MESH)
        return Draft(meta, spec)
    meta = read_meta(document)
    return Draft(meta, kind.parse(document if is_object(document) else {}))


def bad_request_detail(resource_type: ResourceType, error: ParseError) -> str:
    """The `detail` of a body that cannot be read."""
    return f"invalid {resource_type.name} object: {go_quote(error.reason)}"


def request_violations(
    draft: Draft, resource_type: ResourceType, key: ResourceKey, deployment: Deployment
) -> list[Violation]:
    """What is wrong with a draft as an answer to a URL, in the order clients see it."""
    meta = draft.meta
    violations = url_violations(meta, key)
    if deployment.federated and len(f"{deployment.zone}.{key.name}") >= NAME_CHARACTERS_MAX:
        violations.insert(
            # After the text about the name in the URL, before those about type and mesh.
            meta.name != key.name,
            Violation("name", "the length of the name must be shorter"),
        )
    # URL first, then labels, then what the name itself looks like: the order in Kuma's answers.
    violations += label_violations(meta.labels, resource_type, meta.mesh, deployment)
    return violations + meta_violations(meta.name, meta.mesh, resource_type.scope)


def show(resource: Resource[object], kind: Kind[Any]) -> dict[str, object]:
    """A stored resource as a reader gets it, its members in the order of the API."""
    body: dict[str, object] = {"type": resource.type}
    if resource.mesh:
        body["mesh"] = resource.mesh
    body["name"] = resource.name
    body["creationTime"] = shown_time(resource.created_at)
    body["modificationTime"] = shown_time(resource.modified_at)
    if resource.labels:
        body["labels"] = _sorted(resource.labels)
    body |= kind.render(resource.spec)
    if resource.status is not None and kind.render_status is not None:
        body["status"] = kind.render_status(resource.status)
    return body


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def shown_time(at: datetime) -> str:
    """RFC 3339 in UTC as Go writes it: as many digits behind the point as there is need for."""
    text = at.astimezone(UTC).isoformat().removesuffix("+00:00")
    # RFC3339Nano of Go: a fraction without trailing zeros, or none.
    return f"{text.rstrip('0') if '.' in text else text}Z"
