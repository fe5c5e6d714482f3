"""What a write contradicts in other resources of its mesh.

Source: docs/wire/policies.md#older-policies
"""

from __future__ import annotations

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.legacy import external_limits
from kong_mesh_cp.core.resources.kinds.legacy.rate_limit import RateLimit
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.sweeping import sweep


async def contradictions(store: ResourceStore, key: ResourceKey, spec: object) -> list[Violation]:
    """Of `spec`, about to be stored under `key`, and what is stored now. Raises: StateError."""
    match spec:
        # Most limits ask for the service alone, and nobody else has to be asked then.
        case RateLimit() if external_limits.narrowed_services(spec):
            services = sweep(store, Selection(type="ExternalService", mesh=key.mesh))
            names = {
                name
                async for each in services
                for name in external_limits.service_names(spec_as(ExternalService, each).tags)
            }
            return external_limits.limit_violations(spec, names)
        case ExternalService():
            limits = sweep(store, Selection(type="RateLimit", mesh=key.mesh))
            narrowed = {
                each.key.name: external_limits.narrowed_services(spec_as(RateLimit, each))
                async for each in limits
            }
            return external_limits.service_violations(spec, narrowed)
        case _:
            return []
