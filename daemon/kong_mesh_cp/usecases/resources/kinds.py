"""Every kind of resource by the name of its type: those of the policies included."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kong_mesh_cp.core.policy.kinds.catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kind import Kind
from kong_mesh_cp.core.resources.kinds import (
    hostname_generator,
    mesh_external_service,
    mesh_multi_zone_service,
    mesh_service,
)
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS as RESOURCE_KINDS

_SERVICES: Final[tuple[Kind[Any], ...]] = (
    hostname_generator.KIND,
    mesh_external_service.KIND,
    mesh_multi_zone_service.KIND,
    mesh_service.KIND,
)

KINDS: Final[Mapping[str, Kind[Any]]] = MappingProxyType(
    {**RESOURCE_KINDS, **{kind.type: kind for kind in (*_SERVICES, *POLICY_KINDS)}}
)
