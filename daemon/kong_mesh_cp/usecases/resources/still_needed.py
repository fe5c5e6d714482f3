"""What keeps a resource from being deleted.

Source: docs/wire/resource-api.md#deleting
"""

from __future__ import annotations

from kong_mesh_cp.core.meshes import mesh_changes
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import ZoneInsight
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.reader import mesh_key


async def reason_to_stay(
    store: ResourceStore, key: ResourceKey, *, unsafe: bool
) -> Violation | None:
    """Why it has to stay; None where nothing needs it. `unsafe`: proxies and zones do not count."""
    match key.type:
        case "Mesh" if not unsafe:
            dataplanes = Selection(type="Dataplane", mesh=key.name, limit=1)
            if (await store.list(dataplanes)).total:
                reason = "unable to delete mesh, there are still some dataplanes attached"
                return Violation("mesh", reason)
        case "Zone" if not unsafe:
            insight = await store.get(ResourceKey("ZoneInsight", "", key.name))
            if insight is not None and spec_as(ZoneInsight, insight).is_online:
                reason = (
                    "unable to delete Zone, Zone CP is still connected, please shut it down first"
                )
                return Violation("zone", reason)
        case "Secret":
            mesh = await store.get(mesh_key(key.mesh))
            if mesh is not None:
                return mesh_changes.secret_in_use(key.name, key.mesh, spec_as(Mesh, mesh))
        case _:
            pass
    return None
