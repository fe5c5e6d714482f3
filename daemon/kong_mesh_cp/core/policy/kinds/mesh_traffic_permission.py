"""MeshTrafficPermission: who may talk to a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    CLIENTS,
    SPEC,
    Entries,
    client_warnings,
    entries,
    top,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED, NEEDS_AN_ITEM
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

Action = Annotated[str, OneOf(("Allow", "Deny", "AllowWithShadowDeny"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Whether the clients of an entry get through."""

    # Three values: AllowWithShadowDeny lets traffic through and counts it as denied, to try a Deny.
    action: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTrafficPermission:
    """The spec of a MeshTrafficPermission."""

    target_ref: TargetRef | None = None
    from_: Entries[Conf] = ABSENT_LIST


def _violations(spec: MeshTrafficPermission) -> Iterator[Violation]:
    # No gateways: they have no clients inside of the mesh to permit anything to.
    yield from top(spec, (*CLIENTS.kinds, "Dataplane"), inbound=bool(spec.from_))
    # With mTLS on, no policy means that nothing is allowed; an empty one would be the same in
    # disguise.
    if not spec.from_:
        yield SPEC.field("from").violation(NEEDS_AN_ITEM)
    yield from entries(spec.from_, "from", CLIENTS, _conf)


def _conf(conf: Conf, at: FieldPath) -> Iterator[Violation]:
    # Optional in the schema, so that this is the only check that asks for it.
    if not conf.action:
        yield at.field("action").violation(MUST_BE_DEFINED)


KIND: Final = policy_kind(
    "MeshTrafficPermission", MeshTrafficPermission, Conf, _violations, client_warnings
)
