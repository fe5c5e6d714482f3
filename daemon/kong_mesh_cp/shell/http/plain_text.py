"""Plain-text errors from below the API, worded as Kuma's router words them."""

from __future__ import annotations

from http import HTTPStatus

from kong_mesh_cp.shell.http.messages import RETRY_AFTER, Response

PLAIN_TEXT = "text/plain; charset=utf-8"
_WORDS = {404: "Page Not Found"}  # go-restful's own; the others are those of RFC 9110


def plain_text_error(status: int, code: str, message: str) -> Response:  # noqa: ARG001
    """`404: Page Not Found`. An `ErrorBody`; clients of Kuma compare this text."""
    words = _WORDS.get(status) or HTTPStatus(status).phrase
    headers = (RETRY_AFTER,) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    return Response(status, f"{status}: {words}".encode(), PLAIN_TEXT, headers)
