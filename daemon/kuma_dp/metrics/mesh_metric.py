"""What a MeshMetric says to kuma-dp: the document that Envoy serves on a socket. No I/O.

Source: docs/wire/beside-envoy.md#meshmetric
"""

from __future__ import annotations

import json
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX
from kuma_dp.metrics.profiles import Selection, Selector

APPLICATIONS_MAX: Final = 64
LABELS_MAX: Final = 256
SELECTORS_MAX: Final = 256

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Where an application offers its metrics over HTTP."""

    name: str
    host: str  # empty: that of the proxy
    port: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMetric:
    """One document. The default is that of no policy."""

    applications: tuple[Application, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    selection: Selection = Selection()
    exporters: tuple[str, ...] = ()  # backends of OpenTelemetry, by name


class MalformedDocumentError(Exception):
    """It is no such document. The text says where."""


def read_mesh_metric(document: bytes) -> MeshMetric:
    """Raises: MalformedDocumentError."""
    try:
        found: object = json.loads(document)
    except (ValueError, RecursionError):
        raise MalformedDocumentError("it is no JSON") from None
    observability = _object(_object(found, "").get("observability"), "observability")
    metrics = _object(observability.get("metrics"), "metrics")
    sidecar = _object(metrics.get("sidecar"), "sidecar")
    profiles = _object(sidecar.get("profiles"), "profiles")
    backends = [_object(each, "backends") for each in _list(metrics, "backends", LABELS_MAX)]
    return MeshMetric(
        applications=tuple(
            _application(_object(each, "applications"))
            for each in _list(metrics, "applications", APPLICATIONS_MAX)
        ),
        labels=_labels(_object(metrics.get("extraLabels"), "extraLabels")),
        selection=Selection(
            profiles=tuple(
                _text(_object(each, "appendProfiles"), "name")
                for each in _list(profiles, "appendProfiles", SELECTORS_MAX)
            ),
            exclude=_selectors(profiles, "exclude"),
            include=_selectors(profiles, "include"),
            include_unused=sidecar.get("includeUnused") is True,
        ),
        exporters=tuple(
            _text(each, "name") for each in backends if each.get("type") == "OpenTelemetry"
        ),
    )


def _application(found: Json) -> Application:
    port = found.get("port")
    if not isinstance(port, int) or not 0 < port <= PORT_MAX:
        raise MalformedDocumentError("the port of an application is none")
    return Application(
        name=_text(found, "name"),
        host=_text(found, "address"),
        port=port,
        path=_text(found, "path") or "/metrics",
    )


def _labels(found: Json) -> tuple[tuple[str, str], ...]:
    if len(found) > LABELS_MAX:
        raise MalformedDocumentError(f"there are more than {LABELS_MAX} extraLabels")
    return tuple((name, _text(found, name)) for name in found)


def _selectors(profiles: Json, name: str) -> tuple[Selector, ...]:
    found = [_object(each, name) for each in _list(profiles, name, SELECTORS_MAX)]
    return tuple(Selector(_text(each, "type"), _text(each, "match")) for each in found)


def _object(found: object, at: str) -> Json:
    """Go writes nothing there as null."""
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MalformedDocumentError(f"{at or 'it'} is no object")
    return found


def _list(found: Json, name: str, most: int) -> list[object]:
    value = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise MalformedDocumentError(f"{name} is no list of at most {most}")
    return value


def _text(found: Json, name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedDocumentError(f"{name} is no text")
    return value
