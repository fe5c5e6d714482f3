"""Whether the proxies of a mesh are as far as the next step of a new authority asks for.

Source: docs/wire/meshes.md#a-new-authority
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes import authority_progress
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, Selection
from kong_mesh_cp.usecases.resources.documents import readable_as
from kong_mesh_cp.usecases.resources.sweeping import sweep

if TYPE_CHECKING:
    from kong_mesh_cp.core.resources.kinds import insights
else:
    insights = lazy_import("kong_mesh_cp.core.resources.kinds.insights")

DATAPLANE_INSIGHT: Final = "DataplaneInsight"


async def violations(store: ResourceStore, name: str, before: Mesh, after: Mesh) -> list[Violation]:
    """Why the mesh `name` cannot become `after` yet. Raises: StateError."""
    if not authority_progress.waits(before, after):
        return []
    proxies: list[authority_progress.ProxyTrust] = []
    async for stored in sweep(store, Selection(type=DATAPLANE_INSIGHT, mesh=name)):
        insight = readable_as(insights.DataplaneInsight, stored)
        trust = None if insight is None else authority_progress.trust_of(stored.key.name, insight)
        if trust is not None:
            proxies.append(trust)
    return authority_progress.violations(before, after, proxies)
