"""What the settings say about writes, what one finds, and what came of it."""

from __future__ import annotations

from dataclasses import replace

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.usecases.ports.resource_store import Put, StoredResource


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write. `foreseen`: of a dry run, what would be stored."""

    created: bool
    warnings: tuple[str, ...]
    foreseen: Put | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRules:
    """What the settings say about writes."""

    deployment: Deployment
    unsafe_delete: bool = False  # do not ask what still needs what is deleted
    origin_required: bool = True  # of what is written on a federated zone
    strict: bool = False  # unknown members are always refused

    @property
    def checked_deployment(self) -> Deployment:
        """The deployment as labels and names are checked against it."""
        return (
            self.deployment if self.origin_required else replace(self.deployment, federated=False)
        )


@dataclass(frozen=True, slots=True)
class There:
    """What was stored when a write began: the resource, and its mesh as far as that was read."""

    existing: StoredResource | None
    mesh: StoredResource | None = None
