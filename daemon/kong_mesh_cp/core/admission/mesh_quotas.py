"""Quotas: how many counted seats a mesh may have, as the operator says it.

A license counts over all meshes. A quota keeps one of them from taking all there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.dataclass import dataclass

EVERY_OTHER: Final = "*"  # in place of a mesh: those without a quota of their own
UNLIMITED: Final = "unlimited"
QUOTA_RETRY_SECONDS: Final = 30  # as for a full license: there is no better guess
SETTING: Final = "admission.meshQuotas"


@dataclass(frozen=True, slots=True)
class MeshQuotas:
    """Seats by mesh; None is no quota. `others` is for every mesh that is not in `by_mesh`."""

    by_mesh: Mapping[str, int | None]
    others: int | None = None

    @classmethod
    def read(cls, words: tuple[str, ...]) -> MeshQuotas:
        """Of `payments=50`, `infra=unlimited`, `*=10`. Raises: ValueError for anything else."""
        found: dict[str, int | None] = {}
        for word in words:
            mesh, _, seats = word.partition("=")
            found[mesh] = None if seats == UNLIMITED else int(seats)
        return cls(found, found.pop(EVERY_OTHER, None))

    def of(self, mesh: str) -> int | None:
        return self.by_mesh.get(mesh, self.others)

    def document(self) -> dict[str, int | None]:
        """For clients: the quotas as they were set."""
        others = {} if self.others is None else {EVERY_OTHER: self.others}
        return {**others, **dict(sorted(self.by_mesh.items()))}


NO_QUOTAS: Final = MeshQuotas({})


def mesh_full(mesh: str, quota: int, *, reserved: int) -> Refused:
    """The answer to one more proxy of `mesh`, of whose seats `reserved` wait for known ones."""
    kept = f", {reserved} of them kept for proxies from before the restart" if reserved else ""
    reason = f"mesh {mesh} may have {quota} data plane proxies ({SETTING}), and has them{kept}"
    return Refused(
        code=RefusalCode.MESH_QUOTA,
        reason=reason if quota else f"mesh {mesh} may have no data plane proxy ({SETTING})",
        hint=f"Stop a data plane proxy of mesh {mesh}, or ask who runs the control plane to raise"
        f" {SETTING} (KMESH_ADMISSION_MESH_QUOTAS) and restart it.",
        retry_after_seconds=QUOTA_RETRY_SECONDS if quota else None,
    )
