"""Refusals of the admission socket that no use case has worded."""

from __future__ import annotations

from http import HTTPStatus

from kong_mesh_cp.core.admission.socket_messages import PROBLEM_CONTENT_TYPE, problem_document
from kong_mesh_cp.shell.http.messages import Response


def problem_response(status: int, code: str, reason: str, hint: str) -> Response:
    title = HTTPStatus(status).phrase
    body = problem_document(status, title, code=code, reason=reason, hint=hint)
    return Response(status, body, PROBLEM_CONTENT_TYPE)
