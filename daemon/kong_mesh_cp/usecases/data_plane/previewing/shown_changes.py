"""What would change of proxies, as an answer shows it: bounded, and without secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.usecases.data_plane.json_patches import Operation, json_patch
from kong_mesh_cp.usecases.resources.documents import JsonDocument

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.explaining import foretelling
else:  # it brings Envoy's messages
    foretelling = lazy_import("kong_mesh_cp.core.xds.explaining.foretelling")

RESOURCES_MAX: Final = 500  # of one answer; of others it is said how many there are
MEMBERS_MAX: Final = 50  # of one resource
_REMOVED, _ADDED = "removed", "added"


class ShownChanges:
    """Of one answer."""

    def __init__(self) -> None:
        self.left_out = 0  # resources
        self._shown = 0
        # Many proxies have the same resources, and the same becomes of them.
        self._known: dict[foretelling.ChangedResource, JsonDocument] = {}

    def proxies(
        self, changed: Iterable[foretelling.ChangedProxy], online: Collection[str]
    ) -> list[JsonDocument]:
        return [self._proxy(each, is_online=each.name in online) for each in changed]

    def _proxy(self, proxy: foretelling.ChangedProxy, *, is_online: bool) -> JsonDocument:
        room = max(RESOURCES_MAX - self._shown, 0)
        some, rest = proxy.resources[:room], proxy.resources[room:]
        self._shown += len(some)
        self.left_out += len(rest)
        shown: JsonDocument = {
            "connected": is_online,
            "name": proxy.name,
            "resources": [self._resource(each) for each in some],
        }
        if rest:
            shown["notShown"] = len(rest)
        if proxy.complaints:
            shown["complaints"] = [
                {"about": each.about, "reason": each.reason} for each in proxy.complaints
            ]
        return shown

    def _resource(self, changed: foretelling.ChangedResource) -> JsonDocument:
        if changed not in self._known:
            self._known[changed] = _shown(changed)
        return self._known[changed]


def _shown(changed: foretelling.ChangedResource) -> JsonDocument:
    name, before, after = changed
    about: JsonDocument = {"name": name.name, "type": foretelling.short_type(name.type_url)}
    if before is None or after is None:
        change = _ADDED if before is None else _REMOVED
        made = after if before is None else before
        assert made is not None  # noqa: S101 — one of both is there
        member = "after" if before is None else "before"
        return {**about, "change": change, member: foretelling.shown_resource(name, made)}
    found = _members(
        json_patch(
            foretelling.shown_resource(name, before), foretelling.shown_resource(name, after)
        )
    )
    about = {**about, "change": "changed", "members": found[:MEMBERS_MAX]}
    if len(found) > MEMBERS_MAX:
        about["notShown"] = len(found) - MEMBERS_MAX
    # Versions differ, and what may be seen does not.
    return about if found else {**about, "hidden": True}


def _members(patch: Iterable[Operation]) -> list[JsonDocument]:
    """A step that takes away and one that puts in its place are one change."""
    found: list[JsonDocument] = []
    for step in patch:
        path, value = step["path"], step["value"]
        last = found[-1] if found else {}
        if step["op"] == "add" and last.get("path") == path and "after" not in last:
            last["after"] = value
        else:
            found.append({"path": path, "after" if step["op"] == "add" else "before": value})
    return found
