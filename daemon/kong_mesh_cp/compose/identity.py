"""Wires tokens: the keys in the store, who may issue them, and whom requests are from."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kong_mesh_cp.core.errors import ControlPlaneError, StateError
from kong_mesh_cp.core.identity.access import AccessRules
from kong_mesh_cp.core.identity.key_series import USER_KEYS
from kong_mesh_cp.settings.serving import ApiServerAuthnSettings
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.randomness import new_signing_key, new_token_id
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.token_routes import TokenRoutes
from kong_mesh_cp.shell.rest_api.users import Authenticate
from kong_mesh_cp.usecases.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.issuing import TokenIssuer
from kong_mesh_cp.usecases.resource_ports import ResourceStore
from kong_mesh_cp.usecases.resources.ensuring import until_stored
from kong_mesh_cp.usecases.resources.key_secrets import StoredKeySecrets
from kong_mesh_cp.usecases.signing_keys import SigningKeys

log = logging.getLogger(__name__)


class Identity:
    """Whom a request is from, and the tokens that say so."""

    def __init__(
        self, settings: ApiServerAuthnSettings, store: ResourceStore, access: AccessRules
    ) -> None:
        self._settings = settings
        self._secrets = StoredKeySecrets(store, clocks.wall_clock)
        self._keys = SigningKeys(self._secrets, new_signing_key)
        self._issuer = TokenIssuer(
            self._keys, access=lambda: access, clock=clocks.wall_clock, new_id=new_token_id
        )
        self.authenticate: Authenticate = Authenticator(
            self._keys,
            clocks.wall_clock,
            AuthenticationSettings(localhost_is_admin=settings.localhost_is_admin),
        ).user

    def routes(self) -> Iterable[Route]:
        """Unsorted."""
        return TokenRoutes(issuer=self._issuer, authenticate=self.authenticate).routes()

    async def ensure(self) -> None:
        """Make the key of users' tokens, and the administrator's first token, unless there."""
        await until_stored(self._ensure)

    async def _ensure(self) -> None:
        try:
            await self._keys.ensure(USER_KEYS)
            if self._settings.tokens.bootstrap_admin_token:
                await self._issuer.ensure_admin_token(self._secrets)
        except StateError:
            raise
        except ControlPlaneError as error:
            # A key that somebody else put there is unusable: who is local can mend it.
            log.error("admin-token-not-made: %s. %s", error.message, error.hint)
