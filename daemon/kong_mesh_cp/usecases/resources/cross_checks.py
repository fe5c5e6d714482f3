"""What a write contradicts in other resources of its mesh.

Source: docs/wire/policies.md#older-policies
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.sweeping import sweep

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds.legacy import external_limits
else:  # of kinds that few meshes have
    external_limits = lazy_import("kong_mesh_cp.core.resources.kinds.legacy.external_limits")


async def contradictions(store: ResourceStore, key: ResourceKey, spec: Any) -> list[Violation]:
    """Of `spec`, about to be stored under `key`, and what is stored now. Raises: StateError."""
    match key.type:
        # Most limits ask for the service alone, and nobody else has to be asked then.
        case "RateLimit" if external_limits.narrowed_services(spec):
            services = sweep(store, Selection(type="ExternalService", mesh=key.mesh))
            names = {
                name
                async for each in services
                for name in external_limits.names_outside(
                    spec_as(external_limits.ExternalService, each)
                )
            }
            return external_limits.limit_violations(spec, names)
        case "ExternalService":
            limits = sweep(store, Selection(type="RateLimit", mesh=key.mesh))
            narrowed = {
                each.key.name: external_limits.narrowed_services(
                    spec_as(external_limits.RateLimit, each)
                )
                async for each in limits
            }
            return external_limits.service_violations(spec, narrowed)
        case _:
            return []
