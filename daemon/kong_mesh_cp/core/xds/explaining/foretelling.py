"""What changes of a mesh would do to its proxies: their resources at Envoy, before and after.

Both are made by the generator, from the world as it is and from the next one after it.

Source: docs/wire/inspection.md#what-a-change-would-do
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.draft import Complaint
from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed
from kong_mesh_cp.core.xds.explaining.carrying import ResourceName, changed, short_type
from kong_mesh_cp.core.xds.explaining.without_secrets import without_secrets
from kong_mesh_cp.core.xds.generate import Generated, generate
from kong_mesh_cp.core.xds.indexed_mesh import IndexedMesh, Item, next_mesh
from kong_mesh_cp.core.xds.names import CLUSTER, ENDPOINT, LISTENER, SECRET
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.reach import reached
from kong_mesh_cp.core.xds.world import DATAPLANE, MeshWorld

ViewOf = Callable[[MeshWorld, str], ProxyView | None]
"""One proxy of a world, by its name; None: it is not there."""

_ORDER: Final = (LISTENER, CLUSTER, ENDPOINT, SECRET)


class ChangedResource(NamedTuple):
    """A resource of one proxy. Before it was made, and after it is gone, there is None."""

    name: ResourceName
    before: Resource | None
    after: Resource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedProxy:
    """A proxy that would be told something else."""

    name: str
    resources: tuple[ChangedResource, ...]
    complaints: tuple[Complaint, ...] = ()  # that it has not now


class Foretelling:
    """What `changes` would do to one mesh."""

    def __init__(
        self, before: IndexedMesh, changes: Mapping[ResourceKey, Item | None], view_of: ViewOf
    ) -> None:
        self._before = before.world
        after = next_mesh(before, changes)
        self._after = after.world
        self._view_of = view_of
        self._parts = Parts()
        who = reached(before, after, changes.keys())
        everybody = {*before.world.of_type(DATAPLANE), *after.world.of_type(DATAPLANE)}
        self.dataplanes = len(everybody)  # before or after
        # Who uses a service is known only once its configuration is made.
        is_wide = who.everybody or who.callers_of or who.endpoints
        self.candidates: Sequence[str] = sorted(everybody if is_wide else who.proxies & everybody)

    def proxy(self, name: str) -> ChangedProxy | None:
        """What one of the candidates would be told; None: the same as now."""
        before, after = self._made(self._before, name), self._made(self._after, name)
        old, new = (_NOTHING if each is None else each.snapshot for each in (before, after))
        names = sorted(changed(old, new), key=_place)
        complaints = () if after is None else after.complaints
        known = () if before is None else before.complaints
        more = tuple(each for each in complaints if each not in known)
        if not names and not more:
            return None
        return ChangedProxy(name=name, resources=_resources(names, old, new), complaints=more)

    def _made(self, world: MeshWorld, name: str) -> Generated | None:
        view = self._view_of(world, name)
        return None if view is None else generate(view, self._parts)


_NOTHING: Final = Snapshot({})


def _resources(
    names: Iterable[ResourceName], before: Snapshot, after: Snapshot
) -> tuple[ChangedResource, ...]:
    return tuple(
        ChangedResource(
            each,
            before.of_type(each.type_url).resources.get(each.name),
            after.of_type(each.type_url).resources.get(each.name),
        )
        for each in names
    )


def _place(name: ResourceName) -> tuple[int, ResourceName]:
    known = name.type_url in _ORDER
    return _ORDER.index(name.type_url) if known else len(_ORDER), name


def shown_resource(name: ResourceName, resource: Resource) -> object:
    """What of a resource anybody may see: of a secret only its name."""
    if name.type_url == SECRET:
        return {"name": name.name}
    return without_secrets(json_of_packed(resource.packed))


__all__ = [
    "ChangedProxy",
    "ChangedResource",
    "Foretelling",
    "short_type",
    "shown_resource",
]
