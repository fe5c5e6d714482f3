"""targetRef: the proxies that a policy configures, or the traffic that an entry is about.

Source: docs/wire/policies.md#targetref
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.tags import SERVICE, selector_violations, tag_violations
from kong_mesh_cp.core.schema.record_terms import ABSENT_MAP, ABSENT_TEXT, OneOf
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

# The order of the schema's enumeration, which a refusal lists; the order of precedence is another
# one (rules/priority.py).
KINDS: Final = (
    "Mesh",
    "MeshSubset",
    "MeshGateway",
    "MeshService",
    "MeshExternalService",
    "MeshMultiZoneService",
    "MeshServiceSubset",
    "MeshHTTPRoute",
    "Dataplane",
)
PROXY_TYPES: Final = ("Sidecar", "Gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRef:
    """A reference by kind and name, tags or labels; which of them go together is `violations`.

    An absent text or map is an empty one, but an empty one that was given is given back.
    `proxy_types` tells an absent list (None) from an empty one, since only the second is wrong.
    """

    kind: Annotated[str, OneOf(KINDS)]
    name: str = ABSENT_TEXT
    tags: Mapping[str, str] = field(default_factory=lambda: ABSENT_MAP)
    mesh: str = ABSENT_TEXT
    proxy_types: tuple[Annotated[str, OneOf(PROXY_TYPES)], ...] | None = None
    namespace: str = ABSENT_TEXT
    labels: Mapping[str, str] = field(default_factory=lambda: ABSENT_MAP)
    section_name: str = ABSENT_TEXT


WHOLE_MESH: Final = TargetRef(kind="Mesh")  # what an absent top-level targetRef means


def tags_of(target: TargetRef) -> Mapping[str, str] | None:
    """The tags of those `target` means; None for kinds that do not speak of tags."""
    match target.kind:
        case "Mesh":
            return {}
        case "MeshSubset":
            return target.tags
        case "MeshService":
            return {SERVICE: target.name}
        case "MeshServiceSubset":
            return {SERVICE: target.name, **target.tags}  # which may name another service
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What one place of one policy takes as its target."""

    kinds: tuple[str, ...]
    unsupported: str = "value is not supported"  # said of every other kind
    # Policies that act on a whole proxy cannot take a part of its listeners.
    listener_tags: bool = False  # a MeshGateway may be narrowed to listeners by their tags
    # Only what acts on inbounds can be about one of them; `spec.to` of the same policy cannot.
    section_name: bool = False  # a Dataplane may be narrowed to one inbound
    names: frozenset[str] = frozenset()  # accepted although they are no names


def violations(ref: TargetRef, allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    """Everything wrong with `ref`, which stands at `path`."""
    # One fault at a time here: without a kind nothing else of the reference can be checked, and
    # what is said of a wrong kind would not help.
    if not ref.kind:
        yield path.field("kind").violation("must be defined")
        return
    if ref.kind not in allowed.kinds:
        yield path.field("kind").violation(allowed.unsupported)
        return
    yield from _CHECKS.get(ref.kind, _unchecked)(ref, allowed, path)


def _unchecked(_ref: TargetRef, _allowed: Allowed, _path: FieldPath) -> Iterator[Violation]:
    return iter(())


def _mesh(ref: TargetRef, _allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    # A mesh is named by the resource that holds the reference, never by the reference.
    if ref.name:
        yield path.field("name").violation(f"using name with kind {ref.kind} is not yet supported")
    yield from _must_lack(ref, path, "mesh", "tags", "labels", "namespace", "sectionName")
    yield from _proxy_types(ref, path)


def _mesh_subset(ref: TargetRef, _allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    # Tags may be empty: a MeshSubset without tags is the whole mesh, as older manifests write it.
    yield from _must_lack(ref, path, "name", "mesh", "labels", "namespace", "sectionName")
    yield from tag_violations(path.field("tags"), ref.tags)
    yield from _proxy_types(ref, path)


def _dataplane(ref: TargetRef, allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    # A Dataplane is a resource: found by name or by labels, not by the tags of its inbounds.
    # Neither one is fine, and means all of them.
    yield from _must_lack(ref, path, "tags", "mesh", "proxyTypes")
    yield from _labels_or_name(ref, path, "either labels or name and namespace must be specified")
    if ref.section_name and not allowed.section_name:
        yield path.field("sectionName").violation("can only be used with inbound policies")


def _real_resource(ref: TargetRef, allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    # Labels are the other way to find a resource, and may mean several; then there is no name.
    yield from _name(ref, allowed, path, required=not ref.labels)
    yield from _must_lack(ref, path, "mesh", "tags", "proxyTypes")
    yield from _labels_or_name(ref, path, "either labels or name and namespace must be specified")


def _external_service(ref: TargetRef, allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    yield from _name(ref, allowed, path, required=not ref.labels)
    yield from _must_lack(ref, path, "mesh", "tags", "proxyTypes", "sectionName")
    yield from _labels_or_name(ref, path, "either labels or name must be specified")


def _named_subset(ref: TargetRef, allowed: Allowed, path: FieldPath) -> Iterator[Violation]:
    yield from _name(ref, allowed, path, required=True)
    yield from _must_lack(ref, path, "mesh", "proxyTypes", "labels", "namespace", "sectionName")
    yield from selector_violations(path.field("tags"), ref.tags)
    # Reported last, as the texts of Kuma come.
    if ref.kind == "MeshGateway" and not allowed.listener_tags:
        yield from _must_lack(ref, path, "tags")


# A MeshMultiZoneService is taken as it stands, like the original does.
_CHECKS: Final = {
    "Mesh": _mesh,
    "MeshSubset": _mesh_subset,
    "Dataplane": _dataplane,
    "MeshService": _real_resource,
    "MeshHTTPRoute": _real_resource,
    "MeshServiceSubset": _named_subset,
    "MeshGateway": _named_subset,
    "MeshExternalService": _external_service,
}


def _must_lack(ref: TargetRef, path: FieldPath, *members: str) -> Iterator[Violation]:
    present = {
        "name": ref.name,
        "mesh": ref.mesh,
        "tags": ref.tags,
        "labels": ref.labels,
        "namespace": ref.namespace,
        "sectionName": ref.section_name,
        "proxyTypes": ref.proxy_types,
    }
    for member in members:
        # Empty is absent, for all members alike; `proxyTypes: []` has a check of its own.
        if present[member]:
            yield path.field(member).violation(f"must not be set with kind {ref.kind}")


def _labels_or_name(ref: TargetRef, path: FieldPath, message: str) -> Iterator[Violation]:
    if ref.labels and (ref.name or ref.namespace):
        yield path.field("labels").violation(message)


def _proxy_types(ref: TargetRef, path: FieldPath) -> Iterator[Violation]:
    if ref.proxy_types == ():
        yield path.field("proxyTypes").violation("must be undefined or have at least one element")


_NAME: Final = re.compile(r"[0-9a-z.\-_]*")
_NAME_TEXT: Final = (
    "invalid characters: must consist of lower case alphanumeric characters, '-', '.' and '_'."
)


def _name(
    ref: TargetRef, allowed: Allowed, path: FieldPath, *, required: bool
) -> Iterator[Violation]:
    at = path.field("name")
    if required and not ref.name:
        yield at.violation(f"must be set with kind {ref.kind}")
    # Not RFC 1123: names of resources synced from elsewhere hold `_` and more dots than a host
    # name.
    if ref.name not in allowed.names and not _NAME.fullmatch(ref.name):
        yield at.violation(_NAME_TEXT)
