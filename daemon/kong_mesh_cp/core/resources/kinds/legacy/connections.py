"""Parts of older policies on traffic: sources, destinations, and texts they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.resources.tags import Selector, TagRules, selectors_violations
from kong_mesh_cp.core.schema.messages import ProtoEnum
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

HAS_TO_BE_DEFINED: Final = "has to be defined"
CANNOT_BE_EMPTY: Final = "cannot be empty"
PERCENTAGE_RANGE: Final = "has to be in [0.0 - 100.0] range"
POSITIVE: Final = "has to be greater than 0"
POSITIVE_WHEN_DEFINED: Final = "has to be greater than 0 when defined"

ANY_TAG: Final = TagRules(at_least_one=True)
WITH_SERVICE: Final = TagRules(at_least_one=True, service_required=True)
# A proxy chooses such a policy by the service it calls, and knows no other tag of it then.
ONLY_SERVICE: Final = TagRules(only_service=True, service_required=True)


class HttpMethod(ProtoEnum):
    """Methods of HTTP."""

    __proto_name__ = "kuma.mesh.v1alpha1.HttpMethod"
    # proto3's zero value: an absent method, which no message of HTTP has.
    NONE = 0
    CONNECT = 1
    DELETE = 2
    GET = 3
    HEAD = 4
    OPTIONS = 5
    PATCH = 6
    POST = 7
    PUT = 8
    TRACE = 9


def connection_violations(
    sources: Sequence[Selector],
    destinations: Sequence[Selector],
    *,
    # Sources name a service because a policy is looked up for the services of a proxy.
    source_rules: TagRules = WITH_SERVICE,
    destination_rules: TagRules = ONLY_SERVICE,
) -> list[Violation]:
    """Both lists hold something, and each selector in them follows its rules."""
    return [
        *selectors_violations(root("sources"), sources, source_rules),
        *selectors_violations(root("destinations"), destinations, destination_rules),
    ]


def percentage_violations(path: FieldPath, percentage: float | None) -> list[Violation]:
    """A percentage that has to be given, under its own name."""
    at = path.field("percentage")
    if percentage is None:
        return [at.violation(CANNOT_BE_EMPTY)]
    return [at.violation(PERCENTAGE_RANGE)] if percentage < 0 or percentage > 100 else []


def not_zero(path: FieldPath, value: int | None) -> list[Violation]:
    """A number or duration that may be left out, but not be zero."""
    return [path.violation(POSITIVE_WHEN_DEFINED)] if value == 0 else []
