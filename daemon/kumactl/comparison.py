"""When a stored resource and a document say the same: what the server adds does not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.reading import ParseError
from kumactl.differences import Change, changes, without_equal_durations
from kumactl.errors import FieldError, KumactlError
from kumactl.json_value import JsonObject, object_at
from kumactl.resource_document import ResourceDocument

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

    Raises: KumactlError with every violation, where the document's kind is known and it is
    wrong in a way that the server would refuse.
    """
    kind = kinds.get(document.type.name)
    wanted = _checked(document.body, kind) if kind else dict(document.body)
    if stored is None:
        return changes({}, wanted)
    before = comparable(stored)
    given = object_at(wanted, "labels")
    kept = {
        key: value
        for key, value in object_at(before, "labels").items()
        if key in given or key not in _COMPUTED_LABELS
    }
    before = {**before, "labels": kept}
    return without_equal_durations(changes(before, {**wanted, "labels": dict(given)}))


def _checked(body: JsonObject, kind: Kind[Any]) -> dict[str, object]:
    """`body` as the server will show it: defaults left out, durations in one form."""
    try:
        spec = kind.parse(body)
        violations = kind.validate(spec)
    except ParseError as error:
        raise KumactlError(f"Bad Request (invalid {kind.type} object: {error.reason})") from None
    except InvalidResourceError as error:
        violations = error.violations
        spec = None
    if violations:
        fields = [FieldError(each.field, each.message) for each in violations]
        raise KumactlError("Could not process a resource (Resource is not valid)", fields=fields)
    meta = {key: body[key] for key in _META if key in body}
    return {**meta, **kind.render(spec)}
