"""Resources through their kinds, as the API would take and show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from support.suites.validation_cases import violations_of

Found = list[tuple[str, str]]
SERVICE = {"kuma.io/service": "backend"}
ANY_SERVICE = [{"match": {"kuma.io/service": "*"}}]


def found(resource_type: str, body: Mapping[str, Any]) -> Found:
    """Field and message of all that is wrong with `body`."""
    return violations_of(KINDS[resource_type], body)


def found_at(resource_type: str, body: Mapping[str, Any], prefix: str) -> Found:
    """The same, for fields below `prefix`, whose paths are told from there."""
    return [
        (field.removeprefix(prefix), message)
        for field, message in found(resource_type, body)
        if field.startswith(prefix)
    ]


def shown(resource_type: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader gets after `body` was put."""
    kind = KINDS[resource_type]
    return kind.render(kind.parse(body))


def connection(conf: object) -> dict[str, Any]:
    """A policy of the older generation for all traffic."""
    return {"sources": ANY_SERVICE, "destinations": ANY_SERVICE, "conf": conf}
