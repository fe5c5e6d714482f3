"""The keys of tokens: finding, making, rotating and retiring them, and revoking tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.key_series import (
    FIRST_SERIAL,
    KeySeries,
    OfflineKeys,
    revoked_ids,
    with_revoked,
)
from kong_mesh_cp.core.identity.refusals import SigningKeyError, TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.rsa_keys import (
    Algorithm,
    LegacyVerifier,
    SigningKey,
    VerifyingKey,
    public_key_of,
)
from kong_mesh_cp.usecases.identity_ports import KeySecrets, NewSigningKey

log = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 100  # of writers that meet; each time one of them gets through


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrust:
    """Whose keys are believed for one kind of token (`validator` in the configuration)."""

    use_secrets: bool = True
    offline: OfflineKeys = field(default_factory=OfflineKeys)


class SigningKeys:
    """All series of keys, as the secrets hold them right now. It remembers none."""

    def __init__(self, secrets: KeySecrets, new_key: NewSigningKey) -> None:
        self._secrets = secrets
        self._new_key = new_key

    async def newest(self, series: KeySeries) -> tuple[str, SigningKey]:
        """The key that signs, with its `kid`. Raises: SigningKeyNotFoundError, SigningKeyError."""
        # One may be taken out between the two questions.
        for serial in reversed(await self.serials(series)):
            pem = await self._secrets.get(series.key(serial))
            if pem is not None:
                return str(serial), SigningKey.parse(pem)
        raise series.missing(str(FIRST_SERIAL))

    async def serials(self, series: KeySeries) -> Sequence[int]:
        """The numbers of the keys that there are, rising."""
        return series.serials(
            await self._secrets.names(series.type, series.mesh, f"{series.prefix}-")
        )

    async def ensure(self, series: KeySeries) -> bool:
        """Make the first key of `series` unless there is one. Returns whether it was made."""
        if await self.serials(series):
            return False
        return await self._secrets.put(
            series.key(FIRST_SERIAL), await self._new_key(), expected=None
        )

    async def rotate(self, series: KeySeries) -> int:
        """Add a key, which signs from now on. Older ones go on verifying. Returns its number."""
        pem = await self._new_key()
        for _ in range(ATTEMPTS_MAX):
            serial = max(await self.serials(series), default=FIRST_SERIAL - 1) + 1
            if await self._secrets.put(series.key(serial), pem, expected=None):
                log.info("signing-key-added: %s signs from now on", series.key(serial).name)
                return serial
        raise _contended(series.prefix)

    async def retire(self, series: KeySeries, serial: int) -> None:
        """Take an old key out: the tokens that it has signed are void.

        Raises: SigningKeyNotFoundError; ControlPlaneError for the key that signs.
        """
        serials = await self.serials(series)
        name = series.key(serial).name
        if serials and serial == serials[-1]:
            raise ControlPlaneError(
                f"{name} is the key that signs tokens",
                code="signing-key-in-use",
                hint="Rotate first, issue new tokens, and retire it then.",
            )
        if not await self._secrets.delete(series.key(serial)):
            raise series.missing(str(serial))
        log.info("signing-key-retired: tokens signed by %s are void", name)

    async def verifiers(
        self, series: KeySeries, token: PresentedToken, trust: KeyTrust
    ) -> Sequence[VerifyingKey]:
        """The keys that may have signed `token`.

        Raises: TokenRejectedError when there is none.
        """
        found: list[VerifyingKey] = []
        unusable = ""
        if trust.use_secrets and token.algorithm is Algorithm.HS256:
            secret = await self._secrets.get(series.legacy_key)
            found.extend([] if secret is None else [LegacyVerifier(secret)])
        elif trust.use_secrets:
            for key in series.keys_of(token.kid):
                pem = await self._secrets.get(key)
                try:
                    found.extend([] if pem is None else [public_key_of(pem)])
                except SigningKeyError as error:
                    unusable = error.message
        if token.algorithm is Algorithm.RS256:
            found.extend(trust.offline.find(token.kid, mesh=series.mesh))
        if not found:
            message = unusable or series.missing(token.kid or "0").message
            raise TokenRejectedError(TokenFault.UNKNOWN_KEY, message)
        return found

    async def revoked(self, series: KeySeries) -> frozenset[str]:
        """The ids of tokens that are void."""
        found: frozenset[str] = frozenset()
        for key in series.revocations:
            found |= revoked_ids(await self._secrets.get(key) or b"")
        return found

    async def revoke(self, series: KeySeries, token_id: str) -> None:
        """Void one token for good. Raises: ValueError for an id that no list can hold."""
        place = series.revocations[0]
        for _ in range(ATTEMPTS_MAX):
            listed = await self._secrets.get(place)
            extended = with_revoked(listed or b"", token_id)
            if extended == listed:
                return
            if await self._secrets.put(place, extended, expected=listed):
                log.info("token-revoked: %r is listed in %s", token_id, place.name)
                return
        raise _contended(place.name)


def _contended(name: str) -> ControlPlaneError:
    return ControlPlaneError(
        f"{name} was changed by others {ATTEMPTS_MAX} times in a row",
        code="signing-keys-contended",
        hint="Try again.",
    )
