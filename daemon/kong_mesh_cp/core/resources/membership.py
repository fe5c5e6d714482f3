"""Which proxies may be members of a mesh (wire contract 3.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kong_mesh_cp.core.resources.kinds.mesh import Mesh, ProxyConstraints
from kong_mesh_cp.core.resources.tags import Tags


def refusal(mesh_name: str, mesh: Mesh, tag_sets: Iterable[Tags]) -> str | None:
    """Why a proxy cannot be a member; None when it can.

    `tag_sets`: the tags of each inbound and of the gateway, with the zone tag already in them.
    Each set has to fulfil one of the requirements, if there are any, and no restriction.
    """
    constraints = mesh.constraints.dataplane_proxy if mesh.constraints else None
    if constraints is None:
        return None
    reasons = (_refusal(constraints, tags) for tags in tag_sets)
    reason = next((each for each in reasons if each is not None), None)
    if reason is None:
        return None
    return f'dataplane cannot be a member of mesh "{mesh_name}" because its tags {reason}'


def _refusal(constraints: ProxyConstraints, tags: Tags) -> str | None:
    wanted = constraints.requirements
    if wanted and not any(_matches(each.tags, tags) for each in wanted):
        return f'"{shown(tags)}" does not fulfill any requirements defined on the Mesh'
    for each in constraints.restrictions:
        if _matches(each.tags, tags):
            return (
                f'"{shown(tags)}" matches restricted tags "{shown(each.tags)}" defined on the Mesh'
            )
    return None


def _matches(rule: Mapping[str, str], tags: Tags) -> bool:
    """Every tag of the rule is there with its value; `*` is any value but the empty one."""
    return all(
        bool(tags.get(name)) if value == "*" else tags.get(name) == value
        for name, value in rule.items()
    )


def shown(tags: Tags) -> str:
    """`kuma.io/service=web kuma.io/zone=default`, sorted."""
    return " ".join(f"{name}={tags[name]}" for name in sorted(tags))
