"""The members of a whole body: those of the meta, and those of what its type consists of.

Source: docs/wire/resource-api.md#unknown-members, docs/wire/resource-api.md#letter-case
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.kind import Kind, ProtoKind
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.schema.member_names import (
    Shape,
    folded,
    is_plain,
    message_shape,
    record_shape,
)
from kong_mesh_cp.core.schema.records import record
from kong_mesh_cp.core.schema.violations import ROOT, Violation

if TYPE_CHECKING:
    from kong_mesh_cp.core.schema import unknown_members
else:
    unknown_members = lazy_import("kong_mesh_cp.core.schema.unknown_members")

# The mesh of a global type means nothing, and is sent all the same.
_META: Final[dict[str, Shape | None]] = dict.fromkeys(
    ("type", "mesh", "name", "creationTime", "modificationTime", "labels")
)
# What answers have, and clients send back. It is the server's, so nothing is lost with it.
_OF_ANSWERS: Final[dict[str, Shape | None]] = dict.fromkeys(("status", "kri"))
_LABELS: Final = "labels"

_OF_KUBERNETES: Final = dict.fromkeys(
    ("apiVersion", "kind", "metadata"),
    'this is the form of Kubernetes; here "type", "mesh", "name" and "labels" stand at the top',
)
_INLINE: Final = {"spec": 'what this type consists of stands beside "type" and "name"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBody:
    """A body whose members have the names that its type knows; others are told, and not read."""

    document: JsonObject
    unknown: Sequence[unknown_members.UnknownMember] = ()
    untold: int = 0  # so many more there were

    @property
    def warnings(self) -> tuple[str, ...]:
        told = tuple(each.warning for each in self.unknown)
        if not self.untold:
            return told
        return (*told, f"{self.untold} more unknown members have no effect")

    @property
    def violations(self) -> list[Violation]:
        """The same as what is wrong with it."""
        told = [Violation(each.at, f"unknown member; {each.remark}") for each in self.unknown]
        if self.untold:
            told.append(Violation("", f"there are {self.untold} more unknown members"))
        return told


def known_body(kind: Kind[Any], document: JsonObject) -> KnownBody:
    """`document`, what was sent as a resource of this kind. Raises: ParseError."""
    shape = _shape(kind)
    if shape is None or is_plain(shape, document):
        return KnownBody(document=document)
    reading = unknown_members.MemberReading(shape)
    given = document if shape.folds else _with_names_of_meta(document, shape)
    return KnownBody(
        document=reading.read(shape, given, ROOT),
        unknown=tuple(reading.unknown),
        untold=reading.untold,
    )


def _with_names_of_meta(document: JsonObject, shape: Shape) -> JsonObject:
    """The names of the meta are read in any case, though those of a message are not."""
    meta = {folded(name): name for name in _META}
    given: dict[str, object] = {}
    for name, value in document.items():
        known = name if name in shape.members else meta.get(folded(name), name)
        before = given.get(known)
        # As Go's encoding/json: the last one wins, and maps are merged.
        if known == _LABELS and isinstance(before, dict) and isinstance(value, dict):
            given[known] = {**before, **value}
        elif value is not None or known not in given:
            given[known] = value
    return given


_SHAPES: Final[dict[object, Shape | None]] = {}  # made at the first body of a type


def _shape(kind: Kind[Any]) -> Shape | None:
    # A kind is a value: to hash it would be to hash all that its type consists of.
    if kind.parse not in _SHAPES:
        _SHAPES[kind.parse] = _new_shape(kind)
    return _SHAPES[kind.parse]


def _new_shape(kind: Kind[Any]) -> Shape | None:
    match kind:
        case PluginKind():
            return Shape(
                members={**_META, **_OF_ANSWERS, "spec": record_shape(record(kind.spec_type))},
                told=(*_META, "spec"),
                remarks=_OF_KUBERNETES,
                folds=True,
                required=frozenset({"type", "name", "spec"}),
                defaulted=frozenset({"mesh"}),
                texts=frozenset({_LABELS}),
            )
        case ProtoKind():
            own = message_shape(kind.message_type, kind.confs())
            return Shape(
                members={**own.members, **_META, **_OF_ANSWERS},
                told=(*_META, *own.told),
                remarks=_OF_KUBERNETES | _INLINE,
            )
        case _:
            return None
