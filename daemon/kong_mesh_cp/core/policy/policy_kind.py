"""Kinds of targetRef policies: plugin kinds that also tell what the confs of their type are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.plugin_kind import PluginKind, plugin_kind
from kong_mesh_cp.core.schema.violations import Violation

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKind(PluginKind[S]):
    """`conf_type` is the dataclass of what is merged: one type has the same conf in all lists."""

    conf_type: type[object]


def policy_kind(
    name: str,
    spec_type: type[S],
    conf_type: type[object],
    violations: Callable[[S], Iterable[Violation]],
    warnings: Callable[[S], Iterable[str]],
) -> PolicyKind[S]:
    """As `plugin_kind`."""
    kind = plugin_kind(name, spec_type, violations, warnings)
    return PolicyKind(
        **{each.name: getattr(kind, each.name) for each in fields(kind)}, conf_type=conf_type
    )
