"""The calls of the admission socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import trio

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.socket_messages import (
    PROBLEM_CONTENT_TYPE,
    problem,
    seat_list,
    status_of,
)
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.json_text import json_text
from kong_mesh_cp.core.identity.audit import Refusal, Reloaded, Source
from kong_mesh_cp.shell.admission_socket.limits import (
    BODY_BYTES_MAX,
    REQUEST_SECONDS,
    RETRY_SECONDS,
    ROOT_UID,
    PeerConnections,
    SocketPlaces,
    UidRates,
)
from kong_mesh_cp.shell.admission_socket.problems import problem_response
from kong_mesh_cp.shell.host.peers import SocketPeer
from kong_mesh_cp.shell.http.forwarding import is_forwarded
from kong_mesh_cp.shell.http.messages import (
    Handler,
    HeldStream,
    Request,
    Response,
    StreamingResponse,
)
from kong_mesh_cp.shell.http.origins import is_from_browser
from kong_mesh_cp.shell.http.routing import Route, Router
from kong_mesh_cp.shell.listening.peer import Credentials, Peer
from kong_mesh_cp.usecases.admission.admissions import Admissions
from kong_mesh_cp.usecases.admission.seating import HeldSeat, Seating
from kong_mesh_cp.usecases.identity.auditing import Refusals, tell
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome
from kong_mesh_cp.usecases.ports.state_store import PeerAttestor

ADMISSIONS: Final = "/v1/admissions"

_READY = b'{"ready":true}\n'
_HINTS = {
    404: "Ask for /v1/admissions, /v1/license, /v1/license/reload, /v1/signing-keys, "
    "/v1/sealing-key or /v1/ready.",
    405: "The header Allow names the methods.",
    500: "See the log of kong-mesh-cp.",
}
_OTHER_HINT = "Send a plain HTTP/1.1 request, for example with curl --unix-socket."

Answer = Response | StreamingResponse
Attesting = Callable[[Peer, Credentials], PeerAttestor]


# Path, method and what it asks of keys.
KEY_CALLS: Final = (
    ("/v1/meshes/{mesh}/signing-keys", "GET", "list"),
    ("/v1/meshes/{mesh}/signing-keys/revocations/{token}", "PUT", "revoke"),
    ("/v1/meshes/{mesh}/signing-keys/rotate", "POST", "rotate"),
    ("/v1/meshes/{mesh}/signing-keys/{serial}", "DELETE", "retire"),
    ("/v1/sealing-key", "GET", "list-sealing"),
    ("/v1/sealing-key/retire", "POST", "retire-sealing"),
    ("/v1/sealing-key/rotate", "POST", "rotate-sealing"),
    ("/v1/signing-keys", "GET", "list"),
    ("/v1/signing-keys/{series}/revocations/{token}", "PUT", "revoke"),
    ("/v1/signing-keys/{series}/rotate", "POST", "rotate"),
    ("/v1/signing-keys/{series}/{serial}", "DELETE", "retire"),
)

KeyAnswers = Callable[[str, Request, Source], Awaitable[Response]]  # the name of the call first


@dataclass(frozen=True, slots=True)
class LicenseCalls:
    """What the socket passes on about the license."""

    document: Callable[[], Mapping[str, object]]  # as `GET /license?view=full` of the API server
    reload: Callable[[], Awaitable[ReloadOutcome]]


def socket_peer(peer: Peer, credentials: Credentials) -> PeerAttestor:
    """The kernel's word on `peer`."""
    return SocketPeer(peer.socket, credentials)


def _always() -> bool:
    return True


class AdmissionSocket:
    """The handler, the gate and the wording of errors for `serve_http` on the admission socket."""

    def __init__(
        self,
        admitting: Admissions,
        seating: Seating,
        license_calls: LicenseCalls,
        *,
        own_uid: int,
        refusals: Refusals,
        places: SocketPlaces,
        ready: Callable[[], bool] = _always,
        attesting: Attesting = socket_peer,
    ) -> None:
        """`own_uid` is the daemon's: it and root may reload the license, and change keys. `ready`:
        whether it serves and can use its store.
        """
        self._admitting = admitting
        self._seating = seating
        self._license_calls = license_calls
        self._refusals = refusals
        self._admins = frozenset({ROOT_UID, own_uid})
        self._attesting = attesting
        self._is_ready = ready
        self.places = places
        self._rates = UidRates(places.connections_per_user)
        self._connections = PeerConnections(places)
        self._keys: KeyAnswers | None = None
        routes = [
            Route(ADMISSIONS, "GET", self._list),
            Route(ADMISSIONS, "POST", self._admit),
            Route("/v1/license", "GET", self._license),
            Route("/v1/license/reload", "POST", self._reload),
            Route("/v1/ready", "GET", self._ready),
            *(Route(path, method, self._about_keys(name)) for path, method, name in KEY_CALLS),
        ]
        routes.sort(key=lambda route: (route.path, route.method))
        self._router = Router(routes, error_body=self.error_body)

    def serve_keys(self, answers: KeyAnswers) -> None:
        """Answer calls about keys from now on: resources are served a moment after the socket."""
        self._keys = answers

    async def handle(self, request: Request) -> Answer:
        """Answer one request. First of all: no browsers, no proxies, and not too often."""
        refused = _passed_on(request.headers)
        uid = _credentials(request.peer).uid
        if refused is None and uid != ROOT_UID:
            refused = self._rates.take(uid, trio.current_time())
        if refused is not None:
            return self._refuse(refused)
        if request.query and request.method != "GET" and request.path != ADMISSIONS:
            return _refusal(_NO_QUERY)
        return await self._router(request)

    def enter(self, peer: Peer) -> Response | None:
        """`Gate.enter`: at most so many connections for one user, and for one group."""
        refused = self._connections.enter(peer)
        return None if refused is None else self._refuse(refused)

    def leave(self, peer: Peer) -> None:
        """`Gate.leave`."""
        self._connections.leave(peer)

    def is_privileged(self, peer: Peer) -> bool:
        """Whether this peer has the reserved places: it may reload the license, too."""
        return _credentials(peer).uid in self._admins

    def error_body(self, status: int, code: str, message: str) -> Response:
        """`ErrorBody`: what the server refuses before there is a request, in our words."""
        refusal = _SERVER_REFUSALS.get(status)
        if refusal is None:
            return problem_response(status, code, message, _HINTS.get(status, _OTHER_HINT))
        own_code, hint = refusal
        if own_code is RefusalCode.BUSY:
            hint = (
                f"Wait: the socket serves {self.places.connections} connections at once, held "
                "seats included. More: admission.limits.connections."
            )
        retry = RETRY_SECONDS if own_code is RefusalCode.BUSY else None
        return self._refuse(
            Refused(code=own_code, reason=message, hint=hint, retry_after_seconds=retry)
        )

    async def _admit(self, request: Request) -> Answer:
        dry_run = _dry_run(request.query)
        if isinstance(dry_run, Refused):
            return self._refuse(dry_run)
        peer = self._attesting(request.peer, _credentials(request.peer))
        if dry_run:
            tried = await self._admitting.try_out(request.body, peer)
            return Response(200, tried) if isinstance(tried, bytes) else _refusal(tried)
        held = await self._admitting.admit(request.body, peer)
        if isinstance(held, Refused):
            return _refusal(held)
        return self._held(held)

    def _held(self, held: HeldSeat) -> StreamingResponse:
        seating = self._seating

        async def hold(stream: HeldStream) -> None:
            try:
                with trio.CancelScope() as scope:
                    seating.attach(held, scope.cancel, stream.send_line)
                    await stream.wait_closed()
            except trio.Cancelled:
                # We end the connection, not the proxy: it will be back after the restart.
                seating.keep(held)
                raise

        return StreamingResponse(held.line, hold, lambda: seating.release(held))

    async def _list(self, request: Request) -> Answer:  # noqa: ARG002
        return Response(200, seat_list(self._seating.holders(), self._seating.refused))

    async def _license(self, request: Request) -> Answer:  # noqa: ARG002
        return Response(200, json_text(self._license_calls.document()))

    async def _ready(self, request: Request) -> Answer:  # noqa: ARG002
        if self._is_ready():
            return Response(200, _READY)
        reason = "the control plane stops, or its store cannot be used"
        hint = "Ask again in a moment; systemctl status kong-mesh-cp says what is in the way."
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", reason, hint)

    def _about_keys(self, name: str) -> Handler:
        async def answer(request: Request) -> Answer:
            uid, source = _asker(request)
            if uid not in self._admins:
                return self._for_admins_only(request, "see or change keys")
            if self._keys is None:
                reason = "the control plane is starting and serves no resources yet"
                status = HTTPStatus.SERVICE_UNAVAILABLE
                return problem_response(status, "starting", reason, "Ask again in a moment.")
            return await self._keys(name, request, source)

        return answer

    def _for_admins_only(self, request: Request, what: str) -> Answer:
        uid, source = _asker(request)
        status, reason = HTTPStatus.FORBIDDEN, f"uid {uid} may not {what}"
        refusal = Refusal(status=status, reason=f"admin-only: {reason}")
        self._refusals.tell(refusal, source, request.method, request.path)
        hint = "Ask as root or as the user that kong-mesh-cp runs as."
        return problem_response(status, "admin-only", reason, hint)

    async def _reload(self, request: Request) -> Answer:
        uid, source = _asker(request)
        if uid not in self._admins:
            return self._for_admins_only(request, "reload the license")
        outcome = await self._license_calls.reload()
        tell(Reloaded(user=None, usable=outcome.error is None), source)
        if outcome.error is not None:
            error = outcome.error
            return problem_response(HTTPStatus.CONFLICT, error.code, error.message, error.hint)
        return Response(200, json_text(outcome.document()))

    def _refuse(self, refused: Refused) -> Response:
        """A refusal that the use case has not seen."""
        self._seating.count_refusal(refused.code)
        return _refusal(refused)


# What was meant as a question (dryRun=true) must not be done.
_NO_QUERY: Final = Refused(
    code=RefusalCode.MALFORMED_REQUEST,
    reason="this request takes no query, and nothing was done",
    hint="Leave out what follows the ?. Only POST /v1/admissions has a dry run.",
)

_SERVER_REFUSALS: Mapping[int, tuple[RefusalCode, str]] = {
    400: (RefusalCode.MALFORMED_REQUEST, "Send HTTP/1.1, for example with curl --unix-socket."),
    408: (
        RefusalCode.TOO_SLOW,
        f"Send the whole request within {REQUEST_SECONDS:g} seconds.",
    ),
    413: (RefusalCode.TOO_LARGE, f"Send at most {BODY_BYTES_MAX} bytes."),
    431: (RefusalCode.TOO_LARGE, "Send fewer or shorter headers."),
    503: (RefusalCode.BUSY, "Wait, and ask again."),
}


def _passed_on(headers: Mapping[str, str]) -> Refused | None:
    # No client must reach the socket through some local proxy with the rights of its user.
    if is_forwarded(headers):
        return Refused(
            code=RefusalCode.MALFORMED_REQUEST,
            reason="a header (such as X-Forwarded-For) shows a proxy; its clients cannot be known",
            hint="Ask from the process that is to be admitted, without a proxy in between.",
        )
    if not is_from_browser(headers):
        return None
    return Refused(
        code=RefusalCode.MALFORMED_REQUEST,
        reason="a header (Origin, Referer or Sec-Fetch-…) shows a browser; none is served here",
        hint="Ask with a program of your own, without these headers.",
    )


def _dry_run(query: Mapping[str, str]) -> bool | Refused:
    if not query:
        return False
    value = query.get("dryRun")
    if len(query) == 1 and value in {"true", "false"}:
        return value == "true"
    # A misspelt dryRun that took a seat would be worse than a refusal.
    return Refused(
        code=RefusalCode.MALFORMED_REQUEST,
        reason="the query may only be dryRun=true or dryRun=false",
        hint="Correct the query and ask again.",
    )


def _refusal(refused: Refused) -> Response:
    headers: tuple[tuple[str, str], ...] = ()
    if refused.retry_after_seconds is not None:
        headers = (("Retry-After", str(refused.retry_after_seconds)),)
    return Response(status_of(refused.code), problem(refused), PROBLEM_CONTENT_TYPE, headers)


def _asker(request: Request) -> tuple[int, Source]:
    uid = _credentials(request.peer).uid
    return uid, Source(f"uid {uid}")


def _credentials(peer: Peer) -> Credentials:
    assert peer.credentials is not None, "the admission socket is a Unix socket"  # noqa: S101
    return peer.credentials
