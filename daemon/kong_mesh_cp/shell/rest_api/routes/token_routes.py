"""Issuing tokens over HTTP: `POST /tokens/…` (docs/wire/tokens.md#issuing)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.audit import Refusal, Source
from kong_mesh_cp.core.identity.refusals import (
    InvalidTokenRequestError,
    IssuerDisabledError,
    SigningKeyError,
    SigningKeyNotFoundError,
    UndecodableRequestError,
)
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.auditing import asked_from
from kong_mesh_cp.shell.rest_api.errors import refused
from kong_mesh_cp.shell.rest_api.problem import InvalidParameter, kuma_error
from kong_mesh_cp.shell.rest_api.responding import Answer, of_secrets, responding
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.shell.rest_api.write_queries import require_no_flags
from kong_mesh_cp.usecases.identity.issuing import TokenIssuer
from kong_mesh_cp.usecases.resources.resource_refusals import invalid

NOT_ISSUED: Final = "Could not issue a token"
NOT_READ: Final = "the request for a token cannot be read"
_TOKEN_TYPE: Final = "text/plain"  # noqa: S105 (a media type), without a charset, as clients know it

Issue = Callable[[User, bytes, Source], Awaitable[str]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRoutes:
    """One route for each kind of token; the answer is the bare token."""

    issuer: TokenIssuer
    authenticate: Authenticate

    def routes(self) -> Iterator[Route]:
        for kind, issue in (
            ("dataplane", self.issuer.dataplane_token),
            ("user", self.issuer.user_token),
            ("zone", self.issuer.zone_token),
        ):
            handler = responding(self.authenticate, of_secrets(_answer(issue)))
            yield Route(f"/tokens/{kind}", "POST", handler, _about(kind))


def _about(kind: str) -> Operation:
    return Operation(
        id=f"issue{kind.title()}Token",
        summary=f"Issue a {kind} token",
        tag="Tokens",
        description=(
            "A body that is no JSON object is refused with 400 and no words, one with a value of "
            "the wrong type with its field."
        ),
        answers=("Token",),
        answer_type=_TOKEN_TYPE,
        takes=f"{kind.title()}TokenRequest",
        refuses=(404,),
    )


def _answer(issue: Issue) -> Answer:
    async def answer(user: User, request: Request) -> Response:
        require_no_flags(request)
        try:
            token = await issue(user, request.body, asked_from(request))
        except UndecodableRequestError as error:
            # Any client can send such: logged as refusals are, within their bounds.
            reason = f"{error.code}: {error.message}"
            refusal = Refusal(status=400, reason=reason, user=user)
            if not error.violations:
                return Response(400, content_type="", refusal=refusal)
            where = [InvalidParameter(each.field, each.message) for each in error.violations]
            body = kuma_error(400, "Bad Request", NOT_READ, invalid_parameters=where)
            return Response(400, body, refusal=refusal)
        except InvalidTokenRequestError as error:
            return refused(invalid("Invalid request", error.violations))
        except SigningKeyNotFoundError as error:
            return Response(404, kuma_error(404, "Signing Key not found", error.message))
        except IssuerDisabledError as error:
            return Response(400, kuma_error(400, NOT_ISSUED, error.message))
        except SigningKeyError as error:
            log.error("token-not-issued: %s. %s", error.message, error.hint)
            # Who may ask has been asked before: the name of the secret is no news to them.
            told = {"code": error.code, "hint": error.hint}
            return Response(503, kuma_error(503, NOT_ISSUED, error.message, extras=told))
        return Response(200, token.encode(), _TOKEN_TYPE)

    return answer
