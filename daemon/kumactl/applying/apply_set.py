"""Apply sets: what was applied under one name, so that what is no longer given can be deleted.

A label marks what is of a set. Only `apply --apply-set` sets it, so what somebody else has made
is never taken away, whatever its name. Nothing is kept beside the resources themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES
from kumactl.applying.given import Given
from kumactl.control_plane import ControlPlane
from kumactl.documents import resource_names
from kumactl.documents.resource_document import ResourceDocument
from kumactl.errors import NotFoundError, RefusedError, UsageError
from kumactl.json_value import JsonObject, text_at

LABEL: Final = "kumactl/apply-set"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FORBIDDEN: Final = 403
# What others need goes last.
_LAST: Final = {"Secret": 1, "GlobalSecret": 1, "Mesh": 2}


@dataclass(frozen=True, slots=True)
class Member:
    """A resource that carries the label of a set."""

    type_name: str
    mesh: str
    name: str

    @property
    def path(self) -> str:
        return resource_names.item_path(TYPES[self.type_name], self.mesh, self.name)

    @property
    def subject(self) -> str:
        return ResourceDocument(TYPES[self.type_name], self.mesh, self.name, {}).subject


def checked_name(name: str) -> str:
    """`name`, if a set can be called so. Raises: UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of an apply set: up to 63 of a-z, 0-9 and -, as a label takes it"
        )
    return name


def marked(given: Given, name: str) -> Given:
    """`given` with the label of the set. Raises: UsageError for a label of another set."""
    labels = given.document.body.get("labels") or {}
    if not isinstance(labels, Mapping):
        return given  # refused where it is judged
    own = labels.get(LABEL, name)
    if own != name:
        raise UsageError(
            f"{given.shown}: the document has the label {LABEL}: {own}, and --apply-set is {name}."
            " Take the label out; kumactl sets it"
        )
    body = {**given.document.body, "labels": {**labels, LABEL: name}}
    return replace(given, document=replace(given.document, body=body))


def set_of(resource: JsonObject | None) -> str:
    """The set that a stored resource is of, or ""."""
    return text_at(resource, "labels", LABEL)


def require_free(resource: JsonObject | None, name: str) -> None:
    """Raises: UsageError where a stored resource is of another set, which would lose it."""
    other = set_of(resource)
    if other not in {"", name}:
        raise UsageError(
            f"it is of the apply set {other}, which would lose it. If that is meant, apply it once"
            f" without --apply-set, and take it out of what is applied as {other}"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The members of a set, and the types that could not be looked at."""

    members: Sequence[Member]
    hidden: Sequence[str]


def members(plane: ControlPlane, name: str) -> Found:
    """All that is of the set `name`, in the order in which it can be deleted."""
    found: list[Member] = []
    hidden: list[str] = []
    query = [(f"filter[labels.{LABEL}]", name)]
    for resource_type in TYPES.values():
        if resource_type.read_only or not resource_type.path:
            continue
        try:
            for item in plane.items(f"/{resource_type.path}", query):
                # A server that knows no filters gives all there are.
                if set_of(item) == name:
                    mesh, own = text_at(item, "mesh"), text_at(item, "name")
                    found.append(Member(resource_type.name, mesh, own))
        except NotFoundError:
            continue  # it does not know the type
        except RefusedError as error:
            if error.status != _FORBIDDEN:
                raise
            hidden.append(resource_type.name)
    return Found(sorted(found, key=lambda each: _LAST.get(each.type_name, 0)), hidden)


def to_prune(
    found: Found, given: Sequence[Given], name: str
) -> tuple[Sequence[Member], Sequence[Member]]:
    """The members that are no longer `given`: those to delete, and the meshes, which stay.

    Raises: UsageError when none of the members is given: then it is another set that was meant.
    """
    paths: Mapping[str, None] = dict.fromkeys(each.document.path for each in given)
    gone = [each for each in found.members if each.path not in paths]
    if gone and len(gone) == len(found.members):
        raise UsageError(
            f"nothing is deleted: none of what is given is of the apply set {name} yet, and"
            f" {len(gone)} others are. If it is the right set, apply without --prune first"
        )
    meshes = [each for each in gone if each.type_name == "Mesh"]
    return [each for each in gone if each.type_name != "Mesh"], meshes
