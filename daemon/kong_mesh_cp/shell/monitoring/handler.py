"""What Prometheus asks: with `kuma_sd_configs`, or with `http_sd_configs` where it has no others.

Source: docs/wire/metrics.md#assignments
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.durations import SECOND, DurationError, parse_duration
from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.shell.http.messages import RETRY_AFTER, Handler, Request, Response
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.usecases.monitoring.monitored_meshes import Told
from kong_mesh_cp.usecases.monitoring.scrape_assignments import Assignment

PATH: Final = "/v3/discovery:monitoringassignments"
TARGETS: Final = "/targets"  # of ours
TYPE_URL: Final = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment"
FETCH_SECONDS_MAX: Final = 300.0  # a client that asks for more is answered after these
ASSIGNMENTS_AT_ONCE_MAX: Final = 200  # written on the event loop; more in a thread

Fetch = Callable[[str, str, float], Awaitable[Told | None]]
"""Client, known version and seconds to wait for another; see `MonitoredMeshes.fetch`."""


class _NoRequestError(Exception):
    """The body is no discovery request; the text says where."""


@dataclass(frozen=True, slots=True)
class _Asked:
    client: str
    known: str  # the version that the client has


def monitoring_handler(fetch: Fetch, fetch_seconds: float) -> Handler:
    """`fetch_seconds`: to wait for news, where the request does not say it."""

    async def discover(request: Request) -> Response:
        try:
            asked = _read(request.body)
        except _NoRequestError as error:
            return _error(400, "Could not parse request body", str(error))
        try:
            seconds = _seconds(request.query.get("fetch-timeout", ""), fetch_seconds)
        except DurationError as error:
            return _error(400, "Could not parse fetch-timeout", str(error))
        try:
            told = await fetch(asked.client, asked.known, seconds)
        except StateError as error:
            return _error(503, "Could not fetch MonitoringAssignments", error.message, error)
        if told is None:
            return Response(304, content_type="")
        return await _shown(told, _document)

    async def list_targets(request: Request) -> Response:
        try:
            told = await fetch(request.query.get("client", ""), "", 0.0)
        except StateError as error:
            return _error(503, "Could not fetch MonitoringAssignments", error.message, error)
        assert told is not None  # noqa: S101 — nobody knows the version ""
        return await _shown(told, _targets)

    routes = (Route(TARGETS, "GET", list_targets), Route(PATH, "POST", discover))
    return Router(routes, error_body=plain_text_error)


async def _shown(told: Told, document: Callable[[Told], object]) -> Response:
    def write() -> bytes:
        return json_text(document(told))

    if len(told.assignments) <= ASSIGNMENTS_AT_ONCE_MAX:
        return Response(200, write())
    return Response(200, await trio.to_thread.run_sync(write))


def _seconds(text: str, otherwise: float) -> float:
    """Raises: DurationError, whose text is Go's."""
    seconds = parse_duration(text) / SECOND if text else otherwise
    return min(max(seconds, 0.0), FETCH_SECONDS_MAX)


def _read(body: bytes) -> _Asked:
    """In both spellings that JSON of protobuf has. Other members have no effect."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise _NoRequestError("it is no JSON") from None
    if not isinstance(found, dict):
        raise _NoRequestError("it is no object")
    node = found.get("node")
    if node is not None and not isinstance(node, dict):
        raise _NoRequestError("node is no object")
    known = found.get("version_info", found.get("versionInfo"))
    return _Asked(_text("node.id", (node or {}).get("id")), _text("version_info", known))


def _text(name: str, value: object) -> str:
    """Null is as nothing."""
    if value is not None and not isinstance(value, str):
        raise _NoRequestError(f"{name} is no text")
    return value or ""


def _document(told: Told) -> dict[str, object]:
    document: dict[str, object] = {"version_info": told.version}
    if told.assignments:
        document["resources"] = [_resource(each) for each in told.assignments]
    return {**document, "type_url": TYPE_URL}


def _resource(assignment: Assignment) -> dict[str, object]:
    """As protobuf writes it: what is empty is left out."""
    target = {
        "name": assignment.proxy,
        "scheme": assignment.scheme,
        "address": assignment.address,
        "metrics_path": assignment.path,
        "labels": dict(assignment.labels),
    }
    return {
        "@type": TYPE_URL,
        "mesh": assignment.mesh,
        "service": assignment.service,
        "targets": [{name: value for name, value in target.items() if value}],
    }


def _targets(told: Told) -> list[object]:
    return [_target(each) for each in told.assignments]


def _target(assignment: Assignment) -> dict[str, object]:
    """With the labels that `kuma_sd_configs` makes of an assignment."""
    labels = {
        "instance": assignment.proxy,
        "__scheme__": assignment.scheme,
        "__metrics_path__": assignment.path,
        "__meta_kuma_dataplane": assignment.proxy,
        "__meta_kuma_mesh": assignment.mesh,
        "__meta_kuma_service": assignment.service,
        **{f"__meta_kuma_label_{name}": text for name, text in assignment.labels.items()},
    }
    return {"targets": [assignment.address], "labels": labels}


def _error(status: int, title: str, detail: str, failure: StateError | None = None) -> Response:
    # As the original has it: without a type, and the status in the head alone.
    said = {"type": "", "status": 0, "title": title, "detail": detail, "details": detail}
    headers = () if failure is None else (RETRY_AFTER,)
    return Response(status, json_text(said), headers=headers, failure=failure)
