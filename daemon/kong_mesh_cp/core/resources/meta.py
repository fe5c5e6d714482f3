"""What every resource has beside its spec, and the rules for it.

Source: docs/wire/resource-api.md#names
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import Final, Generic, TypeGuard, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import (
    JsonObject,
    ParseError,
    field_mismatch,
    is_object,
    json_kind,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import Violation

NAME_CHARACTERS_MAX: Final = 253  # a DNS subdomain
MESH_NAME_CHARACTERS_MAX: Final = 63  # of a Mesh that is made; a DNS label
LABEL_1035_CHARACTERS_MAX: Final = 63

NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
# Wider than NAME_PATTERN: Kuma is less strict with the mesh of a resource than with its name. A new
# Mesh is held to both, and to a limit of its own.
MESH_PATTERN: Final = r"[0-9a-z\-_.]*"

_NAME: Final = re.compile(NAME_PATTERN)
_MESH: Final = re.compile(MESH_PATTERN)
_LABEL_1035: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")

CANNOT_BE_EMPTY: Final = "cannot be empty"
NAME_CHARACTERS: Final = (
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character"
)
MESH_CHARACTERS: Final = (
    "invalid characters. Valid characters are numbers, lowercase latin letters and "
    "'-', '_', '.' symbols."
)
NAME_LENGTH: Final = f"value length must less or equal {NAME_CHARACTERS_MAX}"
MESH_NAME_LENGTH: Final = f"cannot be longer than {MESH_NAME_CHARACTERS_MAX} characters"
_LABEL_1035_CHARACTERS: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_LENGTH: Final = f"must be no more than {LABEL_1035_CHARACTERS_MAX} characters"


S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class Scope(Enum):
    """Whether a type's resources lie in a mesh or beside all meshes."""

    GLOBAL = "Global"
    MESH = "Mesh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMeta:
    """What a body says of itself. Times in a body are the server's business and not read."""

    type: str = ""
    mesh: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[S_co]):
    """One resource as it is stored. `mesh` is "" for a type of global scope."""

    type: str
    mesh: str
    name: str
    labels: Mapping[str, str]
    spec: S_co  # the kind's typed spec, or the JSON of it
    created_at: datetime  # aware, UTC; so is modified_at
    modified_at: datetime
    version: int
    status: object | None = None  # the kind's typed status, for types that have one

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.type, self.mesh, self.name)


def has_spec(resource: Resource[object], spec_type: type[T]) -> TypeGuard[Resource[T]]:
    """Tells resources of one type from others in a list of many."""
    return isinstance(resource.spec, spec_type)


def read_meta(document: object) -> ResourceMeta:
    """The meta in the body of a resource. Raises: ParseError."""
    # `null` is an empty object to Go's decoder.
    if document is None:
        return ResourceMeta()
    if not is_object(document):
        kind = json_kind(document)
        raise ParseError(
            f"json: cannot unmarshal {kind} into Go value of type v1alpha1.ResourceMeta"
        )
    return ResourceMeta(
        type=_text(document, "type"),
        mesh=_text(document, "mesh"),
        name=_text(document, "name"),
        labels=_labels(document.get("labels")),
    )


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name)
    # Null is absent for Go, whatever the type of the member.
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise field_mismatch(value, f"ResourceMeta.{name}", "string").below(name)


def _labels(value: object) -> Mapping[str, str]:
    if value is None:
        return {}
    if not is_object(value):
        raise field_mismatch(value, "ResourceMeta.labels", "map[string]string").below("labels")
    labels: dict[str, str] = {}
    for key, text in value.items():
        if text is not None and not isinstance(text, str):
            wrong = field_mismatch(text, "ResourceMeta.labels", "string")
            raise wrong.below(f"labels[{go_quote(key)}]")
        # A null value in a map is Go's zero value, not a missing key.
        labels[key] = text or ""
    return labels


def name_reason(name: str) -> str | None:
    """Why `name` cannot be the name of a resource; None when it can."""
    # One reason at a time, in Kuma's order: emptiness, length, characters.
    if not name:
        return CANNOT_BE_EMPTY
    if len(name) > NAME_CHARACTERS_MAX:
        return NAME_LENGTH
    return None if _NAME.fullmatch(name) else NAME_CHARACTERS


def mesh_reason(mesh: str) -> str | None:
    """Why `mesh` cannot be the mesh a resource lies in; None when it can."""
    if not mesh:
        return CANNOT_BE_EMPTY
    if len(mesh) > NAME_CHARACTERS_MAX:
        return NAME_LENGTH
    return None if _MESH.fullmatch(mesh) else MESH_CHARACTERS


def meta_violations(name: str, mesh: str, scope: Scope) -> list[Violation]:
    """What is wrong with name and mesh, independent of any URL."""
    violations = []
    reason = name_reason(name)
    if reason is not None:
        violations.append(Violation("name", reason))
    reason = mesh_reason(mesh) if scope is Scope.MESH else None
    if reason is not None:
        violations.append(Violation("mesh", reason))
    return violations


def url_violations(meta: ResourceMeta, key: ResourceKey) -> list[Violation]:
    """Where the body names another resource than the URL, in the order clients see it."""
    violations = []
    for field_name, in_body, in_url in (
        # The order of the texts in an answer; the URL decides which resource is meant.
        ("name", meta.name, key.name),
        ("type", meta.type, key.type),
        ("mesh", meta.mesh, key.mesh),
    ):
        # A body of a global type may carry a mesh; it means nothing.
        if in_body != in_url and (field_name != "mesh" or key.mesh):
            reason = f"{field_name} from the URL has to be the same as in body"
            violations.append(Violation(field_name, reason))
    return violations


def label_1035_reasons(name: str) -> tuple[str, ...]:
    """Why `name` is no DNS label of RFC 1035; empty when it is one."""
    reasons = []
    if len(name) > LABEL_1035_CHARACTERS_MAX:
        reasons.append(_LABEL_1035_LENGTH)
    if not _LABEL_1035.fullmatch(name):
        reasons.append(_LABEL_1035_CHARACTERS)
    return tuple(reasons)


# Their names end up in DNS: of services themselves, or as a part of host names.
_DNS_NAMED: Final = frozenset(
    {"Mesh", "Zone", "MeshService", "MeshExternalService", "MeshMultiZoneService"}
)


def name_warning(resource_type: str, name: str) -> str | None:
    """The deprecation warning for a display name that is no DNS label; None without one."""
    reasons = label_1035_reasons(name) if resource_type in _DNS_NAMED else ()
    if not reasons:
        return None
    return (
        f"Invalid {resource_type} resource name: '{name}'. It does not conform to the DNS format "
        f"(RFC 1035). This is deprecated. Errors: {'; '.join(reasons)}"
    )
