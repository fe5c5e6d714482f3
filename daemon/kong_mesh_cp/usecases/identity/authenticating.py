"""Who asks: users of the API, and proxies that open a stream.

Source: docs/wire/tokens.md#users, docs/wire/tokens.md#proxies
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity import proxy_rules, tokens
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.key_series import USER_KEYS, ZONE_KEYS, KeySeries, dataplane_keys
from kong_mesh_cp.core.identity.refusals import TokenRejectedError
from kong_mesh_cp.core.identity.tokens import C, DataplaneClaims, UserClaims, ZoneClaims
from kong_mesh_cp.core.identity.users import (
    Authentication,
    Requester,
    User,
    credentials_of,
    user_of,
)
from kong_mesh_cp.usecases.identity.signing_keys import KeyTrust, SigningKeys
from kong_mesh_cp.usecases.ports.state_store import WallClock


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSettings:
    """What counts as a proof."""

    localhost_is_admin: bool = True
    authentication: Authentication = Authentication.TOKENS
    users: KeyTrust = field(default_factory=KeyTrust)
    dataplanes: KeyTrust = field(default_factory=KeyTrust)
    zones: KeyTrust = field(default_factory=KeyTrust)
    in_memory: bool = False  # the keys end with the process; said to proxies with other tokens


class Authenticator:
    """Verifies tokens with the keys and revocations of the moment."""

    def __init__(
        self, keys: SigningKeys, clock: WallClock, settings: AuthenticationSettings
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._settings = settings

    async def user(self, requester: Requester) -> User:
        """Raises: TokenRejectedError (401) for a token that proves nothing."""
        who = credentials_of(
            requester,
            localhost_is_admin=self._settings.localhost_is_admin,
            authentication=self._settings.authentication,
        )
        if isinstance(who, User):
            return who
        return user_of(await self._claims(who.text, UserClaims, USER_KEYS, self._settings.users))

    async def require_dataplane(
        self,
        credentials: Sequence[str] | None,
        *,
        mesh: str,
        name: str,
        tags: Mapping[str, Collection[str]],
    ) -> DataplaneClaims:
        """What the values of the metadata `authorization` claim, which prove to be this proxy.

        Raises: ProxyRefusedError.
        """
        claims = await self._proxy_claims(
            credentials, DataplaneClaims, dataplane_keys(mesh), self._settings.dataplanes
        )
        proxy_rules.require_dataplane(claims, mesh=mesh, name=name, tags=tags)
        return claims

    async def require_zone_proxy(
        self, credentials: Sequence[str] | None, *, scope: str, zone: str
    ) -> ZoneClaims:
        """Likewise, for the ingress or egress (`scope`) of a zone. Raises: ProxyRefusedError."""
        claims = await self._proxy_claims(credentials, ZoneClaims, ZONE_KEYS, self._settings.zones)
        proxy_rules.require_zone_proxy(claims, scope=scope, zone=zone)
        return claims

    async def _proxy_claims(
        self,
        credentials: Sequence[str] | None,
        claims: type[C],
        series: KeySeries,
        trust: KeyTrust,
    ) -> C:
        text = proxy_rules.credential(credentials)
        try:
            return await self._claims(text, claims, series, trust)
        except TokenRejectedError as error:
            in_memory = self._settings.in_memory
            raise proxy_rules.unreadable(error, in_memory=in_memory) from None

    async def _claims(self, text: str, claims: type[C], series: KeySeries, trust: KeyTrust) -> C:
        token = PresentedToken.parse(text)
        keys = await self._keys.verifiers(series, token, trust)
        revoked = await self._keys.revoked(series)
        return tokens.verify(token, claims, keys=keys, revoked=revoked, now=self._clock())
