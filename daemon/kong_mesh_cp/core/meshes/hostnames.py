"""Which host names a service has, and in which zones (docs/wire/inspection.md#host-names)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from kong_mesh_cp.core.formats.go.go_template import TEMPLATE_CHARACTERS_MAX
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import (
    HostnameGenerator,
    LabelSelector,
)
from kong_mesh_cp.core.resources.labels import DISPLAY_NAME, ORIGIN, ZONE
from kong_mesh_cp.core.resources.meta import Resource

NAMESPACE: Final = "k8s.kuma.io/namespace"
_LABEL: Final = re.compile(r"label\s+[\"`]([^\"`]*)[\"`]")


def zone_of(resource: Resource[object]) -> str:
    """The zone in its label; else the first part of its name, where synced ones have it."""
    return resource.labels.get(ZONE) or resource.name.partition(".")[0]


def hostnames(
    service: Resource[object], generators: Iterable[Resource[HostnameGenerator]]
) -> Mapping[str, list[str]]:
    """The zones by host name, both sorted."""
    zone = zone_of(service)
    found: dict[str, set[str]] = {}
    for generator in generators:
        # As one zone sees it: what comes from this very zone is its own, all else is global.
        own = generator.labels.get(ORIGIN) == "zone" and zone_of(generator) == zone
        labels = {**service.labels, ORIGIN: "zone" if own else "global"}
        if _matches(_selector(generator.spec, service.type), labels):
            name = _filled_in(generator.spec.template, service, labels, zone)
            if name is not None:
                found.setdefault(name, set()).add(zone)
    return {name: sorted(found[name]) for name in sorted(found)}


def _selector(spec: HostnameGenerator, service_type: str) -> LabelSelector | None:
    match service_type:
        case "MeshService":
            return spec.selector.mesh_service
        case "MeshExternalService":
            return spec.selector.mesh_external_service
        case _:
            return spec.selector.mesh_multi_zone_service


def _matches(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    return selector.match_labels.items() <= labels.items()


def _filled_in(
    template: str, service: Resource[object], labels: Mapping[str, str], zone: str
) -> str | None:
    """The host name; None where the template asks for what the service has not, or is too long."""
    if len(template) > TEMPLATE_CHARACTERS_MAX:
        return None
    fields = {
        # An empty label is a name, too: only a missing one is not.
        ".DisplayName": labels.get(DISPLAY_NAME, service.name),
        ".Name": service.name,
        ".Namespace": labels.get(NAMESPACE, ""),
        ".Zone": zone,
        ".Mesh": service.mesh,
    }
    parts: list[str] = []
    position = 0
    while (start := template.find("{{", position)) >= 0 and (end := template.find("}}", start)) > 0:
        action = template[start + 2 : end].removeprefix("-").removesuffix("-").strip()
        label = _LABEL.fullmatch(action)
        value = labels.get(label[1]) if label else fields.get(action)
        if value is None:
            return None
        parts += (template[position:start], value)
        position = end + 2
    return "".join(parts) + template[position:]
