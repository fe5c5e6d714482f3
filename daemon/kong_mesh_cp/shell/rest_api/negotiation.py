"""Which media types are taken and given: JSON, said as Kuma's router says it.

Source: docs/wire/errors.md#media-types-and-unknown-paths
"""

from __future__ import annotations

from dataclasses import replace

from kong_mesh_cp.core.identity.audit import quoted
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT
from kong_mesh_cp.shell.rest_api.problem import kuma_error

JSON = "application/json"
_BODY_METHODS = frozenset({"PUT", "POST", "PATCH"})
_SEND_JSON = f"Send JSON, with the header Content-Type: {JSON}; YAML is for kumactl apply -f."
_AVAILABLE = f"Not Acceptable\n\nAvailable representations: {JSON}"


def refusal(request: Request) -> Response | None:
    """For a request that does not send JSON, or does not take it."""
    sends = request.method in _BODY_METHODS
    if (sends or request.body) and not _sends_json(request):
        given = request.headers.get("content-type", "")
        sent = f"the body is sent as {quoted(given)}" if given else "the body has no Content-Type"
        response = _plain(415, "Unsupported Media Type")
        return explained(request, response, "unsupported-media-type", sent, _SEND_JSON)
    if not _takes_json(request.headers.get("accept", "*/*")):
        return _plain(406, _AVAILABLE)
    return None


def _sends_json(request: Request) -> bool:
    given = request.headers.get("content-type", "")
    return given.partition(";")[0].strip().lower() == JSON


def _takes_json(accept: str) -> bool:
    # Weights do not count, not even that of 0: clients of Kuma rely on it.
    ranges = (each.partition(";")[0].strip().lower() for each in accept.split(","))
    return any(each in {JSON, "*/*", ""} for each in ranges)


def explained(request: Request, response: Response, code: str, message: str, hint: str) -> Response:
    """`response`, a line of plain text, as an error object where the client says that it takes one.

    The line becomes its title: clients of Kuma look for that text, or only at the status. Without
    an Accept header it stays as Kuma's router sends it.
    """
    accept = request.headers.get("accept")
    if accept is None or not _takes_json(accept):
        return response
    extras = {"code": code, "hint": hint}
    body = kuma_error(response.status, response.body.decode(), message, extras=extras)
    return replace(response, body=body, content_type=JSON)


def _plain(status: int, words: str) -> Response:
    return Response(status, f"{status}: {words}".encode(), PLAIN_TEXT)
