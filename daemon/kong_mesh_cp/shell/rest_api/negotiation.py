"""Which media types are taken and given: JSON, said as Kuma's router says it.

Source: docs/wire/errors.md#media-types-and-unknown-paths
"""

from __future__ import annotations

from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT

JSON = "application/json"
_BODY_METHODS = frozenset({"PUT", "POST", "PATCH"})
_AVAILABLE = f"Not Acceptable\n\nAvailable representations: {JSON}"


def refusal(request: Request) -> Response | None:
    """For a request that does not send JSON, or does not take it."""
    sends = request.method in _BODY_METHODS
    if (sends or request.body) and not _sends_json(request):
        return _plain(415, "Unsupported Media Type")
    if not _takes_json(request.headers.get("accept", "*/*")):
        return _plain(415 if sends else 406, _AVAILABLE)
    return None


def _sends_json(request: Request) -> bool:
    given = request.headers.get("content-type", "")
    return given.partition(";")[0].strip().lower() == JSON


def _takes_json(accept: str) -> bool:
    # Weights do not count, not even that of 0: clients of Kuma rely on it.
    ranges = (each.partition(";")[0].strip().lower() for each in accept.split(","))
    return any(each in {JSON, "*/*", ""} for each in ranges)


def _plain(status: int, words: str) -> Response:
    return Response(status, f"{status}: {words}".encode(), PLAIN_TEXT)
