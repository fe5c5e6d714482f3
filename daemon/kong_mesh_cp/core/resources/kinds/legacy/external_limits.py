"""What a RateLimit may ask of services outside of the mesh: they are known by their service tag.

Source: docs/wire/policies.md#older-policies
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import RateLimit
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.tags import SERVICE
from kong_mesh_cp.core.schema.violations import Violation

__all__ = [
    "ExternalService",
    "RateLimit",
    "limit_violations",
    "names_outside",
    "narrowed_services",
    "service_violations",
]

_ONLY_SERVICE: Final = (
    "RateLimit applied to external service only supports kuma.io/service as destination match"
)


def narrowed_services(limit: RateLimit) -> tuple[str, ...]:
    """The services, or `*`, of each destination that asks for more tags than that of the service.

    In a mesh with a service of that name outside, the limit cannot be.
    """
    return tuple(
        destination.match[SERVICE]
        for destination in limit.destinations
        if SERVICE in destination.match and len(destination.match) > 1
    )


def limit_violations(limit: RateLimit, outside: Collection[str]) -> list[Violation]:
    """One for each destination of `limit` that means one of `outside` and asks for more."""
    meant = (name for name in narrowed_services(limit) if _means(name, outside))
    return [Violation("ratelimit", _ONLY_SERVICE) for _ in meant]


def service_violations(
    service: ExternalService, narrowed: Mapping[str, tuple[str, ...]]
) -> list[Violation]:
    """One for each limit that would mean `service` and asks for more.

    `narrowed`: what `narrowed_services` gives, by the name of the limit.
    """
    outside = names_outside(service)
    return [
        Violation(
            "externalservice",
            f"ExternalService would match RateLimit '{limit}' which includes incompatible "
            "destination matches",
        )
        for limit, names in narrowed.items()
        for name in names
        if _means(name, outside)
    ]


def names_outside(service: ExternalService) -> tuple[str, ...]:
    """The name by which a service outside is known: one, or none."""
    return (service.tags[SERVICE],) if SERVICE in service.tags else ()


def _means(name: str, outside: Collection[str]) -> bool:
    return name in outside or (name == "*" and bool(outside))
