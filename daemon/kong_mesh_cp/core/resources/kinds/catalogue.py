"""The kinds of this folder by the name of their type: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind

_KINDS: Final[tuple[Kind[Any], ...]] = ()

KINDS: Final[Mapping[str, Kind[Any]]] = MappingProxyType({kind.type: kind for kind in _KINDS})
