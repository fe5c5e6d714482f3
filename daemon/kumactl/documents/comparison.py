"""When a stored resource and a document say the same: what the server adds does not count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources import inline_secrets, labels
from kong_mesh_cp.core.resources.body_members import known_body
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kumactl.documents.differences import ABSENT, Change, Step, changes, without_equal_durations
from kumactl.documents.resource_document import ResourceDocument
from kumactl.errors import FieldError, KumactlError
from kumactl.json_value import JsonObject, object_at

REFUSED: Final = "Could not process a resource (Resource is not valid)"  # as the server says it
_OF_SERVER: Final = frozenset({"creationTime", "modificationTime", "status"})
_META: Final = ("type", "mesh", "name", "labels")
_COMPUTED_LABELS: Final = frozenset(
    {
        labels.MESH,
        labels.ORIGIN,
        labels.ZONE,
        labels.ENV,
        labels.PROXY_TYPE,
        labels.DISPLAY_NAME,
        "k8s.kuma.io/namespace",
    }
)


def comparable(resource: JsonObject) -> dict[str, object]:
    """`resource` without what the server notes down for itself."""
    return {key: value for key, value in resource.items() if key not in _OF_SERVER}


def pending_changes(
    stored: JsonObject | None,
    document: ResourceDocument,
    kinds: Mapping[str, Kind[Any]],
) -> list[Change]:
    """What applying `document` changes of `stored`; all of it when nothing is stored.

    The document has been judged: where a rule of this program finds fault with it all the same,
    it is compared as it stands.
    """
    kind = kinds.get(document.type.name)
    try:
        wanted = as_shown(document.body, kind) if kind else dict(document.body)
    except KumactlError:
        wanted = dict(document.body)
    type_name = document.type.name
    if stored is None:
        return _hidden(type_name, {}, wanted, changes({}, wanted))
    before = comparable(stored)
    given = object_at(wanted, "labels")
    kept = {
        key: value
        for key, value in object_at(before, "labels").items()
        if key in given or key not in _COMPUTED_LABELS
    }
    before = {**before, "labels": kept}
    wanted = {**wanted, "labels": dict(given)}
    found = without_equal_durations(changes(before, wanted))
    return _hidden(type_name, before, wanted, found)


def _hidden(
    type_name: str, before: JsonObject, after: JsonObject, found: Sequence[Change]
) -> list[Change]:
    """`found` with masks in place of secrets: a terminal and a build log are read by many."""
    old, new = _masked(type_name, before), _masked(type_name, after)
    return [
        replace(
            each,
            old=_value_at(each.path, old, each.old),
            new=_value_at(each.path, new, each.new),
        )
        for each in found
    ]


def _masked(type_name: str, resource: JsonObject) -> object:
    if type_name in {"GlobalSecret", "Secret"} and "data" in resource:
        return {**resource, "data": inline_secrets.MASK}
    masked: object = json.loads(inline_secrets.masked(type_name, json.dumps(resource)))
    return masked


def _value_at(path: Sequence[Step], document: object, unmasked: object) -> object:
    if unmasked is ABSENT:
        return unmasked
    for step in path:
        document = document[step]  # type: ignore[index]  # as deep as the path it was found by
    return document


def shows_masks(resource: JsonObject) -> bool:
    """Whether something in `resource` is not for this reader to see, and so not to compare."""
    text = json.dumps(resource, ensure_ascii=False)
    return inline_secrets.MASK in text or inline_secrets.MASK_IN_BASE64 in text


def as_shown(body: JsonObject, kind: Kind[Any], *, strict: bool = False) -> dict[str, object]:
    """`body` as the server will show it: defaults and unknown members left out, durations in one
    form. `strict`: unknown members are wrong.

    Raises: KumactlError with every violation, where the server would refuse it.
    """
    try:
        known = known_body(kind, body)
        spec = kind.parse(known.document)
        violations = [*kind.validate(spec), *(known.violations if strict else ())]
    except ParseError as error:
        at = error.path.lstrip(".")
        fields = [FieldError(at, error.advice)] if at else []
        message = f"Bad Request (invalid {kind.type} object: {error.reason})"
        raise KumactlError(message, fields=fields) from None
    except InvalidResourceError as error:
        violations = [*error.violations]
        spec = None
    if violations:
        fields = [FieldError(each.field, each.message) for each in violations]
        raise KumactlError(REFUSED, fields=fields)
    meta = {key: body[key] for key in _META if key in body}
    return {**meta, **kind.render(spec)}


def unknown_members(body: JsonObject, kind: Kind[Any]) -> Sequence[str]:
    """A warning for each member of `body` that has no effect, in the words of the server."""
    try:
        return known_body(kind, body).warnings
    except ParseError:
        return ()
