"""The columns of each resource type, as `get` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.meshes.initial_policies import TYPES_BORN, is_initial_policy
from kong_mesh_cp.core.resources.registry import ResourceType
from kumactl.console import printable
from kumactl.json_value import JsonObject, object_at, objects_at, text_at, true_at
from kumactl.tables.columns import age, render_table, tag_set

Row = Callable[[JsonObject], list[str]]


@dataclass(frozen=True, slots=True)
class Columns:
    """Headers but the last, and their cells; the last column is always the age."""

    headers: tuple[str, ...]
    row: Row


def resource_table(
    resource_type: ResourceType, items: Iterable[JsonObject], now: datetime, *, wide: bool = False
) -> str:
    """The table of resources of one type; `wide`: with all that is known to be asked for."""
    special = (_WIDE.get(resource_type.name) if wide else None) or _SPECIAL.get(resource_type.name)
    columns = special or (_OF_MESH if resource_type.is_mesh_scoped else _GLOBAL)
    cells = ([*columns.row(item), age(text_at(item, "modificationTime"), now)] for item in items)
    return render_table((*columns.headers, "AGE"), cells)


def footer(offset: str | None) -> str:
    """What stands under a page that is not the last one."""
    if offset is None:
        return ""
    shown = printable(offset)
    return f"\nRerun command with --offset={shown} argument to retrieve more resources\n"


def dataplane_tags(dataplane: JsonObject) -> str:
    """The tags of all its inbounds and of its gateway."""
    networking = object_at(dataplane, "networking")
    inbounds = [object_at(inbound, "tags") for inbound in objects_at(networking, "inbound")]
    return tag_set([*inbounds, object_at(networking, "gateway", "tags")])


def _named(item: JsonObject) -> list[str]:
    return [text_at(item, "mesh"), text_at(item, "name")]


def _dataplane(item: JsonObject) -> list[str]:
    networking = object_at(item, "networking")
    address = text_at(networking, "advertisedAddress") or text_at(networking, "address")
    return [*_named(item), dataplane_tags(item), address]


def _external_service(item: JsonObject) -> list[str]:
    tags = tag_set([object_at(item, "tags")])
    return [*_named(item), tags, text_at(item, "networking", "address")]


def _mesh(item: JsonObject, *between: str) -> list[str]:
    locality = true_at(item, "routing", "localityAwareLoadBalancing")
    egress = true_at(item, "routing", "zoneEgress")
    mtls = _enabled_backend(item, "mtls")
    return [text_at(item, "name"), mtls, *between, _on_off(value=locality), _on_off(value=egress)]


def _wide_mesh(item: JsonObject) -> list[str]:
    metrics = _enabled_backend(item, "metrics")
    return _mesh(item, metrics, _all_backends(item, "logging"), _all_backends(item, "tracing"))


def _policy(item: JsonObject) -> list[str]:
    mesh, name = _named(item)
    born = is_initial_policy(text_at(item, "type"), mesh, name)
    return [mesh, name, "yes" if born else "no"]


def _enabled_backend(mesh: JsonObject, what: str) -> str:
    enabled = text_at(mesh, what, "enabledBackend")
    backends = objects_at(mesh, what, "backends")
    types = [text_at(each, "type") for each in backends if text_at(each, "name") == enabled]
    return f"{types[0]}/{enabled}" if enabled and types else "off"


def _all_backends(mesh: JsonObject, what: str) -> str:
    backends = objects_at(mesh, what, "backends")
    return (
        ", ".join(f"{text_at(each, 'type')}/{text_at(each, 'name')}" for each in backends) or "off"
    )


def _on_off(*, value: bool) -> str:
    return "on" if value else "off"


_OF_MESH: Final = Columns(("MESH", "NAME"), _named)
_GLOBAL: Final = Columns(("NAME",), lambda item: [text_at(item, "name")])
_ADDRESSED: Final = ("MESH", "NAME", "TAGS", "ADDRESS")
_SPECIAL: Final[Mapping[str, Columns]] = {
    "Dataplane": Columns(_ADDRESSED, _dataplane),
    "ExternalService": Columns(_ADDRESSED, _external_service),
    "Mesh": Columns(("NAME", "mTLS", "LOCALITY", "ZONEEGRESS"), _mesh),
}
_BORN: Final = Columns(("MESH", "NAME", "BORN WITH MESH"), _policy)
_WIDE: Final[Mapping[str, Columns]] = {
    **dict.fromkeys(TYPES_BORN, _BORN),
    "Mesh": Columns(
        ("NAME", "mTLS", "METRICS", "LOGGING", "TRACING", "LOCALITY", "ZONEEGRESS"), _wide_mesh
    ),
}
