"""Wires tokens: the keys in the store, who may issue them, and whom requests are from."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import trio

from kong_mesh_cp.compose.token_trust import TokenTrust
from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.identity.access import AccessRules, StaticAccess
from kong_mesh_cp.core.identity.key_series import USER_KEYS
from kong_mesh_cp.core.identity.rsa_keys import SigningKey
from kong_mesh_cp.core.identity.secrets_at_rest import NOT_TO_BE_OPENED
from kong_mesh_cp.core.identity.users import Authentication
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.randomness import new_token_id
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.routes.key_routes import KeyRoutes
from kong_mesh_cp.shell.rest_api.routes.token_routes import TokenRoutes
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.usecases.data_plane.authentication import ProxyAuthentication
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.issuing import Issuers, TokenIssuer
from kong_mesh_cp.usecases.identity.key_requests import KeyRequests, RequireWritable
from kong_mesh_cp.usecases.identity.key_secrets import StoredKeySecrets
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.ports.secrets import NewSigningKey, SealingKey
from kong_mesh_cp.usecases.resources.initial_resources import until_stored

log = logging.getLogger(__name__)


async def _prove_apart(pem: bytes) -> SigningKey:
    return await trio.to_thread.run_sync(SigningKey.proven, pem)


class Identity:
    """Whom a request is from, and the tokens that say so."""

    def __init__(
        self,
        settings: Settings,
        store: ResourceStore,
        access: AccessRules,
        trust: TokenTrust,
        new_key: NewSigningKey,
        *,
        sealing: SealingKey,
        require_writable: RequireWritable,
    ) -> None:
        """`sealing` is the key of `store`. `require_writable`: see `KeyRequests`."""
        self._settings = settings.api_server.authn
        proxies = settings.dp_server.authn
        self._secrets = StoredKeySecrets(store, clocks.wall_clock)
        self._keys = SigningKeys(self._secrets, new_key, _prove_apart)
        self._issuer = TokenIssuer(
            self._keys,
            access=lambda: access,
            clock=clocks.wall_clock,
            new_id=new_token_id,
            issuers=Issuers(
                users=self._settings.tokens.enable_issuer,
                dataplanes=proxies.dp_proxy.dp_token.enable_issuer,
                zones=proxies.zone_proxy.zone_token.enable_issuer,
            ),
        )
        authenticator = Authenticator(
            self._keys,
            clocks.wall_clock,
            AuthenticationSettings(
                localhost_is_admin=self._settings.localhost_is_admin,
                authentication=Authentication(self._settings.type),
                users=trust.users,
                dataplanes=trust.dataplanes,
                zones=trust.zones,
                in_memory=settings.store.type == "memory",
            ),
        )
        self.authenticate: Authenticate = authenticator.user
        self.proxies = ProxyAuthentication(
            authenticator,
            dataplanes=proxies.dp_proxy.type != "none",
            zone_proxies=proxies.zone_proxy.type != "none",
        )

        self._key_requests = KeyRequests(
            self._keys, sealing, store, access=access, require_writable=require_writable
        )
        # Root of this machine may do what the roles in the store let nobody do any more.
        self.local_key_requests = KeyRequests(
            self._keys, sealing, store, access=StaticAccess(), require_writable=require_writable
        )

    @property
    def signing_keys(self) -> SigningKeys:
        return self._keys

    def routes(self) -> Iterable[Route]:
        """Unsorted."""
        tokens = TokenRoutes(issuer=self._issuer, authenticate=self.authenticate)
        keys = KeyRoutes(requests=self._key_requests, authenticate=self.authenticate)
        return (*tokens.routes(), *keys.routes())

    async def ensure(self) -> None:
        """Make the key of users' tokens, and the administrator's first token, unless there.

        Neither where no token of a user is signed here, or none counts.
        """
        signed_here = self._settings.tokens.enable_issuer
        if signed_here and Authentication(self._settings.type) is Authentication.TOKENS:
            await until_stored(self._ensure)

    async def _ensure(self) -> None:
        try:
            await self._keys.ensure(USER_KEYS)
            if self._settings.tokens.bootstrap_admin_token:
                await self._issuer.ensure_admin_token(self._secrets)
        except ControlPlaneError as error:
            if isinstance(error, StateError) and error.code not in NOT_TO_BE_OPENED:
                raise
            # A key that somebody else put there is unusable: who is local can mend it.
            log.error("admin-token-not-made: %s. %s", error.message, error.hint)
