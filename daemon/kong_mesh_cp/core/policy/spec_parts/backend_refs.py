"""References to the backends of a route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.target_ref import Allowed, TargetRef, violations
from kong_mesh_cp.core.schema.record_terms import Range, Unsigned32
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRef(TargetRef):
    """A reference with a share of the traffic, and the port of what has several."""

    # Shares, not per cent: they need not add up to anything, and 0 takes a backend out.
    weight: Annotated[int, Range(minimum=0)] = 1
    port: Unsigned32 | None = None


BACKENDS: Final = Allowed(
    kinds=("MeshService", "MeshServiceSubset", "MeshExternalService", "MeshMultiZoneService")
)


def backend_violations(
    refs: tuple[BackendRef, ...], allowed: Allowed, at: FieldPath
) -> Iterator[Violation]:
    for index, ref in enumerate(refs):
        ref_at = at.index(index)
        yield from violations(ref, allowed, ref_at)
        # A MeshService without a port may mean a tag, which has one. A multi-zone service never
        # does.
        if ref.kind == "MeshMultiZoneService" and ref.port is None:
            yield ref_at.field("port").violation("must be defined with kind MeshMultiZoneService")
