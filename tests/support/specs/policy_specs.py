"""Short forms for specs of policies, and what kinds say of them."""

from __future__ import annotations

from typing import Any

import yaml

from kong_mesh_cp.core.resources.plugin_kind import PluginKind

Told = set[tuple[str, str]]


def told(kind: PluginKind[Any], spec: str) -> Told:
    """The violations of a spec that its schema takes, given as YAML."""
    return {(v.field, v.message) for v in kind.validate(_parse(kind, spec))}


def warned(kind: PluginKind[Any], spec: str) -> list[str]:
    return list(kind.warnings(_parse(kind, spec)))


def rendered(kind: PluginKind[Any], spec: str) -> Any:
    return kind.render(_parse(kind, spec))["spec"]


def conf_told(kind: PluginKind[Any], conf: str, *, top: str = "Mesh") -> Told:
    """What is wrong with a conf for the whole mesh; fields are told from the conf on."""
    spec = f"{{targetRef: {{kind: {top}}}, to: [{{targetRef: {{kind: Mesh}}, default: {conf}}}]}}"
    prefix = "spec.to[0].default"
    return {(field.removeprefix(prefix).lstrip("."), text) for field, text in told(kind, spec)}


def _parse(kind: PluginKind[Any], spec: str) -> Any:
    return kind.parse({"type": kind.type, "name": "n", "spec": yaml.safe_load(spec)})
