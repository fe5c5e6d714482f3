"""TrafficLog: which backend of the mesh logs which traffic."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import connection_violations
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Message, proto
from kong_mesh_cp.core.schema.violations import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """The logging backend of the mesh that traffic is logged to; "" for the default one."""

    backend: str = proto("", number=1)  # "" for the default one of the mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLog(Message):
    """The spec of a TrafficLog."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: TrafficLog) -> list[Violation]:
    """Everything that is wrong with a TrafficLog."""
    return connection_violations(policy.sources, policy.destinations)


KIND: Final[Kind[TrafficLog]] = proto_kind("TrafficLog", TrafficLog, violations)
