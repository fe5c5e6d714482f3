"""Audit lines of the API."""

from __future__ import annotations

from kong_mesh_cp.core.identity.audit import Source
from kong_mesh_cp.shell.http.messages import Handler, Request, Response, StreamingResponse
from kong_mesh_cp.shell.rest_api.request_source import source_of
from kong_mesh_cp.usecases.following.store_failures import StoreFailures
from kong_mesh_cp.usecases.identity.auditing import Refusals


def asked_from(request: Request) -> Source:
    """The other end of the connection, and what the headers say."""
    address = request.peer.address
    return source_of(address[0] if address else "a socket", request.headers)


def telling_refusals(handler: Handler, refusals: Refusals, failures: StoreFailures) -> Handler:
    """`handler`, of whose refusals the log tells, and of what the store fails."""

    async def answer(request: Request) -> Response | StreamingResponse:
        response = await handler(request)
        if isinstance(response, Response):
            if response.refusal is not None:
                path = request.base_path + request.path
                refusals.tell(response.refusal, asked_from(request), request.method, path)
            if response.failure is not None:
                failures.tell(response.failure)
        return response

    return answer
