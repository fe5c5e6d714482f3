"""TrafficPermission: who may call whom."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import ANY_TAG, connection_violations
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Message, proto
from kong_mesh_cp.core.schema.violations import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPermission(Message):
    """The spec of a TrafficPermission: which services may call which."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)


def violations(policy: TrafficPermission) -> list[Violation]:
    """Everything that is wrong with a TrafficPermission."""
    return connection_violations(
        policy.sources, policy.destinations, source_rules=ANY_TAG, destination_rules=ANY_TAG
    )


KIND: Final[Kind[TrafficPermission]] = proto_kind(
    "TrafficPermission", TrafficPermission, violations
)
