"""The rules of every type of resource, as the control plane has them; each is imported late."""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS as RESOURCE_KINDS
from kong_mesh_cp.core.resources.lazy_kinds import LazyKinds

KINDS: Final = LazyKinds[Kind[Any]]({**RESOURCE_KINDS.constants, **POLICY_KINDS.constants})
