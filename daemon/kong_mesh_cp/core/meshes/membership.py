"""Which proxies may be members of a mesh (docs/wire/meshes.md#membership)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass

if TYPE_CHECKING:  # admissions ask too, and a start does not wait for what reads resources
    from kong_mesh_cp.core.resources.kinds.mesh import Mesh, ProxyConstraints

Tags = Mapping[str, str]

_REQUIREMENTS = "constraints.dataplaneProxy.requirements"
_RESTRICTIONS = "constraints.dataplaneProxy.restrictions"


@dataclass(frozen=True, slots=True)
class Breach:
    """The constraint that keeps a proxy out."""

    field: str  # its place in the Mesh: one restriction, or the requirements as a whole
    rules: tuple[Tags, ...]  # the restriction, or the requirements, of which one would do
    found: Tags  # the tags of the proxy that were held against it
    of_restriction: bool

    def reason(self, mesh_name: str) -> str:
        """In the words that clients know."""
        said = (
            f'matches restricted tags "{shown(self.rules[0])}" defined on the Mesh'
            if self.of_restriction
            else "does not fulfill any requirements defined on the Mesh"
        )
        return (
            f'dataplane cannot be a member of mesh "{mesh_name}" because its tags '
            f'"{shown(self.found)}" {said}'
        )


def refusal(mesh_name: str, mesh: Mesh, tag_sets: Iterable[Tags]) -> str | None:
    """Why a proxy cannot be a member; None when it can. `tag_sets` are those of `breach`."""
    constraints = mesh.constraints.dataplane_proxy if mesh.constraints else None
    if constraints is None:
        return None
    found = breach(constraints, tag_sets)
    return None if found is None else found.reason(mesh_name)


def breach(constraints: ProxyConstraints, tag_sets: Iterable[Tags]) -> Breach | None:
    """The first constraint that says no.

    `tag_sets`: the tags of each inbound and of the gateway, with the zone tag already in them.
    Each set has to fulfil one of the requirements, if there are any, and no restriction.
    """
    breaches = (_breach(constraints, tags) for tags in tag_sets)
    return next((each for each in breaches if each is not None), None)


def _breach(constraints: ProxyConstraints, tags: Tags) -> Breach | None:
    wanted = tuple(each.tags for each in constraints.requirements)
    if wanted and not any(_matches(each, tags) for each in wanted):
        return Breach(_REQUIREMENTS, wanted, tags, of_restriction=False)
    for index, each in enumerate(constraints.restrictions):
        if _matches(each.tags, tags):
            return Breach(f"{_RESTRICTIONS}[{index}]", (each.tags,), tags, of_restriction=True)
    return None


def _matches(rule: Tags, tags: Tags) -> bool:
    """Every tag of the rule is there with its value; `*` is any value but the empty one."""
    return all(
        bool(tags.get(name)) if value == "*" else tags.get(name) == value
        for name, value in rule.items()
    )


def shown(tags: Tags) -> str:
    """`kuma.io/service=web kuma.io/zone=default`, sorted."""
    return " ".join(f"{name}={tags[name]}" for name in sorted(tags))
