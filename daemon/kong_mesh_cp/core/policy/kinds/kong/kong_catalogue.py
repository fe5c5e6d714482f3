"""The kinds of this folder. They have no rules: nothing merges confs that have no effect."""

from __future__ import annotations

from typing import Any, Final

from kong_mesh_cp.core.resources.lazy_kinds import LazyKinds
from kong_mesh_cp.core.resources.plugin_kind import PluginKind

_MODULES: Final = {
    "MeshGlobalRateLimit": "mesh_global_rate_limit",
    "MeshOPA": "mesh_opa",
}

KONG_KINDS: Final = LazyKinds[PluginKind[Any]](
    {name: f"{__package__}.{module}.KIND" for name, module in _MODULES.items()}
)
"""The kinds of this folder by the name of their type."""
