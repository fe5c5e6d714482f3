"""Error bodies of the HTTP API, as Kuma's clients read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.json_text import json_text


@dataclass(frozen=True, slots=True)
class InvalidParameter:
    """One thing that is wrong with a request: where, as a path of fields, and why."""

    field: str
    reason: str


def kuma_error(
    status: int,
    title: str,
    detail: str,
    *,
    invalid_parameters: Sequence[InvalidParameter] = (),
    extras: Mapping[str, object] | None = None,
) -> bytes:
    """Kuma's error object. `details` and `causes` repeat it for clients older than RFC 9457.

    `extras` are members that Kuma does not have; its clients skip them.
    """
    document: dict[str, object] = {
        "type": "/std-errors",
        "status": status,
        "title": title,
        "detail": detail,
    }
    if invalid_parameters:
        document["invalid_parameters"] = [
            {"field": wrong.field, "reason": wrong.reason} for wrong in invalid_parameters
        ]
    document["details"] = detail
    if invalid_parameters:
        document["causes"] = [
            {"field": wrong.field, "message": wrong.reason} for wrong in invalid_parameters
        ]
    document.update(extras or {})
    return json_text(document)
