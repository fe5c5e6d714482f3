"""TrafficTrace: which backend of the mesh takes the traces of which proxies."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import ANY_TAG
from kong_mesh_cp.core.resources.tags import Selector, selectors_violations
from kong_mesh_cp.core.schema.messages import Message, proto
from kong_mesh_cp.core.schema.violations import Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """The tracing backend of the mesh that spans are sent to; "" for the default one."""

    backend: str = proto("", number=1)  # "" for the default one of the mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficTrace(Message):
    """The spec of a TrafficTrace."""

    selectors: tuple[Selector, ...] = proto((), number=1)
    conf: Conf | None = proto(number=3)


def violations(policy: TrafficTrace) -> list[Violation]:
    """Everything that is wrong with a TrafficTrace."""
    return selectors_violations(root("selectors"), policy.selectors, ANY_TAG)


KIND: Final[Kind[TrafficTrace]] = proto_kind("TrafficTrace", TrafficTrace, violations)
