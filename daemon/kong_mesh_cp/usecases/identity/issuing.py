"""Issues tokens: who may have which, for how long, signed by the newest key.

Source: docs/wire/tokens.md#issuing
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.access import (
    AccessRules,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    require,
)
from kong_mesh_cp.core.identity.audit import ITSELF, Source, TokenIssued
from kong_mesh_cp.core.identity.key_series import (
    ADMIN_USER_TOKEN,
    USER_KEYS,
    ZONE_KEYS,
    KeySeries,
    dataplane_keys,
)
from kong_mesh_cp.core.identity.refusals import (
    InvalidTokenRequestError,
    IssuerDisabledError,
    UndecodableRequestError,
)
from kong_mesh_cp.core.identity.token_requests import (
    DataplaneTokenRequest,
    UserTokenRequest,
    ZoneTokenRequest,
)
from kong_mesh_cp.core.identity.tokens import (
    TEN_YEARS_NANOSECONDS,
    Claims,
    DataplaneClaims,
    UserClaims,
    ZoneClaims,
)
from kong_mesh_cp.core.identity.users import ADMIN, ADMINS, User
from kong_mesh_cp.usecases.identity.auditing import tell
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.ports.secrets import KeySecrets, NewTokenId
from kong_mesh_cp.usecases.ports.state_store import WallClock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """Which kinds of token are signed here (`enableIssuer`), rather than offline."""

    users: bool = True
    dataplanes: bool = True
    zones: bool = True


class TokenIssuer:
    """Answers `POST /tokens/…`, and tells who got what. Each method returns the token and raises

    UndecodableRequestError, InvalidTokenRequestError, AccessDeniedError, IssuerDisabledError,
    SigningKeyNotFoundError or SigningKeyError; the first that applies in the order clients know.
    But who may not have any token of a kind is refused before it is asked what the body says.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        access: Callable[[], AccessRules],
        clock: WallClock,
        new_id: NewTokenId,
        issuers: Issuers | None = None,
    ) -> None:
        self._keys = keys
        self._access = access
        self._clock = clock
        self._new_id = new_id
        self._issuers = issuers or Issuers()

    async def dataplane_token(self, user: User, body: bytes, source: Source = ITSELF) -> str:
        require(self._access(), user, IssueDataplaneToken(unread=True))
        asked = DataplaneTokenRequest.parse(body)
        nanoseconds = asked.checked()
        require(self._access(), user, IssueDataplaneToken(mesh=asked.mesh, tags=asked.tags))
        _require_enabled(self._issuers.dataplanes)
        claims = DataplaneClaims(name=asked.name, mesh=asked.mesh, tags=asked.tags, type=asked.type)
        series = dataplane_keys(asked.mesh)
        return await self._signed(user, claims, series, nanoseconds, source)

    async def zone_token(self, user: User, body: bytes, source: Source = ITSELF) -> str:
        require(self._access(), user, IssueZoneToken(zone=_zone_named(body), unread=True))
        asked = ZoneTokenRequest.parse(body)
        scope = asked.scope or ()
        require(self._access(), user, IssueZoneToken(zone=asked.zone, scope=scope))
        nanoseconds = asked.checked()
        _require_enabled(self._issuers.zones)
        claims = ZoneClaims(zone=asked.zone, scope=scope)
        return await self._signed(user, claims, ZONE_KEYS, nanoseconds, source)

    async def user_token(self, user: User, body: bytes, source: Source = ITSELF) -> str:
        require(self._access(), user, IssueUserToken(unread=True))
        asked = UserTokenRequest.parse(body)
        require(self._access(), user, IssueUserToken(asked.name))
        nanoseconds = asked.checked()
        _require_enabled(self._issuers.users)
        claims = UserClaims(name=asked.name, groups=asked.groups)
        return await self._signed(user, claims, USER_KEYS, nanoseconds, source)

    async def ensure_admin_token(self, secrets: KeySecrets) -> bool:
        """Keep a token of the administrator in `secrets` unless there is one (first start).

        Makes the key that signs it, if need be. Returns whether a token was made.
        """
        if await secrets.get(ADMIN_USER_TOKEN) is not None:
            return False
        await self._keys.ensure(USER_KEYS)
        claims = UserClaims(name=ADMIN.name, groups=(ADMINS,))
        token = await self._signed(ADMIN, claims, USER_KEYS, TEN_YEARS_NANOSECONDS)
        made = await secrets.put(ADMIN_USER_TOKEN, token.encode(), expected=None)
        if made:
            # These words are waited for by the acceptance tests of others.
            log.info("admin-token: saving generated Admin User Token, as %s", ADMIN_USER_TOKEN.name)
        return made

    async def _signed(
        self,
        user: User,
        claims: Claims,
        series: KeySeries,
        nanoseconds: int,
        source: Source = ITSELF,
    ) -> str:
        kid, key = await self._keys.newest(series)
        token_id = self._new_id()
        token = tokens.sign(
            claims,
            key=key,
            kid=kid,
            token_id=token_id,
            now=self._clock(),
            valid_nanoseconds=nanoseconds,
        )
        issued = TokenIssued(
            who=str(user),
            token_id=token_id,
            key=f"{series.prefix}-{kid}",
            valid_nanoseconds=nanoseconds,
            claims=claims,
        )
        tell(issued, source)
        return token


def _require_enabled(enabled: bool) -> None:  # noqa: FBT001 (one of Issuers)
    if not enabled:
        raise IssuerDisabledError


def _zone_named(body: bytes) -> str:
    """For the words of a refusal, which clients know with the zone in them: "" where none is given.

    What is read is bounded (REQUEST_BYTES_MAX), and decides nothing.
    """
    try:
        return ZoneTokenRequest.parse(body).zone
    except (UndecodableRequestError, InvalidTokenRequestError):
        return ""
