"""The keys of tokens: finding, making, rotating and retiring them, and revoking tokens."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.key_series import (
    FIRST_SERIAL,
    SERIAL_MAX,
    KeySeries,
    OfflineKeys,
    revoked_ids,
    with_revoked,
)
from kong_mesh_cp.core.identity.refusals import (
    SigningKeyError,
    SigningKeyNotFoundError,
    TokenFault,
    TokenRejectedError,
)
from kong_mesh_cp.core.identity.rsa_keys import (
    Algorithm,
    LegacyVerifier,
    SigningKey,
    VerifyingKey,
    public_key_of,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.secrets import KeySecrets, NewSigningKey

log = logging.getLogger(__name__)

REMEMBERED_MAX: Final = 256  # contents of secrets whose proof is kept, and that were warned of
ATTEMPTS_MAX: Final = 100  # of writers that meet; each time one of them gets through


Prove = Callable[[bytes], Awaitable[SigningKey]]  # raises SigningKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrust:
    """Whose keys are believed for one kind of token (`validator` in the configuration)."""

    use_secrets: bool = True
    offline: OfflineKeys = field(default_factory=OfflineKeys)


class SigningKeyUse(StrEnum):
    """What a signing key is there for."""

    SIGNING = "signing"  # new tokens; the newest of those that can
    VALIDATING = "validating"  # the tokens it has signed before
    UNUSABLE = "unusable"  # it is no key


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRow:
    """One key of a series, without the key."""

    serial: int
    name: str  # of the secret
    use: SigningKeyUse
    made_at: datetime


class SigningKeys:
    """All series of keys, as the secrets hold them right now.

    What it remembers is only which contents of secrets have been seen to sign, or not to.
    """

    def __init__(
        self, secrets: KeySecrets, new_key: NewSigningKey, prove: Prove | None = None
    ) -> None:
        """`prove` does `SigningKey.proven` beside the event loop, which waits for it otherwise."""
        self._secrets = secrets
        self._new_key = new_key
        self._prove = prove or _prove_here
        self._proofs: dict[bytes, SigningKey | SigningKeyError] = {}
        self._told: dict[ResourceKey, bytes] = {}  # contents that were warned of

    async def newest(self, series: KeySeries) -> tuple[str, SigningKey]:
        """The key that signs, with its `kid`: the newest of those that can.

        One that cannot is passed over, with a warning for each content it is given.
        Raises: SigningKeyNotFoundError; SigningKeyError, about the newest one, where none can.
        """
        unusable: SigningKeyError | None = None
        # One may be taken out between the two questions.
        for serial in reversed(await self.serials(series)):
            pem = await self._secrets.get(series.key(serial))
            if pem is None:
                continue
            key = await self._proof_of(pem)
            if isinstance(key, SigningKey):
                return str(serial), key
            name = series.key(serial).name
            self._warn(series.key(serial), pem, key)
            unusable = unusable or SigningKeyError(key.problem, name=name)
        raise unusable or series.missing(str(FIRST_SERIAL))

    async def _proof_of(self, pem: bytes) -> SigningKey | SigningKeyError:
        content = hashlib.sha256(pem).digest()
        proof = self._proofs.get(content)
        if proof is None:
            try:
                proof = await self._prove(pem)
            except SigningKeyError as error:
                proof = error.with_traceback(None)
            if len(self._proofs) >= REMEMBERED_MAX:
                self._proofs.clear()
            self._proofs[content] = proof
        return proof

    def _warn(self, key: ResourceKey, pem: bytes, error: SigningKeyError) -> None:
        content = hashlib.sha256(pem).digest()
        if self._told.get(key) == content:
            return
        if len(self._told) >= REMEMBERED_MAX:
            self._told.clear()
        self._told[key] = content
        log.warning(
            "signing-key-unusable: the %s %s %s; an older key signs tokens, if there is one. Put"
            " the output of kumactl generate signing-key in its place, or delete it.",
            key.type,
            go_quote(f"{key.mesh}/{key.name}" if key.mesh else key.name),
            error.problem,
        )

    async def serials(self, series: KeySeries) -> Sequence[int]:
        """The numbers of the keys that there are, rising."""
        return series.serials(
            await self._secrets.names(series.type, series.mesh, f"{series.prefix}-")
        )

    async def rows(self, series: KeySeries) -> Sequence[SigningKeyRow]:
        """Every key there is, the newest first."""
        rows: list[SigningKeyRow] = []
        signs = False
        for serial in reversed(await self.serials(series)):
            key = series.key(serial)
            pem, made_at = await self._secrets.get(key), await self._secrets.made_at(key)
            if pem is None or made_at is None:  # taken out between the questions
                continue
            use = SigningKeyUse.VALIDATING if _validates(pem) else SigningKeyUse.UNUSABLE
            if not signs and isinstance(await self._proof_of(pem), SigningKey):
                signs, use = True, SigningKeyUse.SIGNING
            rows.append(SigningKeyRow(serial=serial, name=key.name, use=use, made_at=made_at))
        return rows

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
            if serial > SERIAL_MAX:
                raise ControlPlaneError(
                    f"after {series.key(serial - 1).name} there is no number for another key",
                    code="signing-key-numbers-exhausted",
                    hint="Put its key under a lower number, and delete this one.",
                )
            if await self._secrets.put(series.key(serial), pem, expected=None):
                log.info("signing-key-added: %s signs from now on", series.key(serial).name)
                return serial
        raise _contended(series.prefix)

    async def retire(self, series: KeySeries, serial: int) -> None:
        """Take an old key out: the tokens that it has signed are void.

        Raises: SigningKeyNotFoundError; ControlPlaneError for the key that signs.
        """
        name = series.key(serial).name
        if str(serial) == await self._signing(series):
            raise ControlPlaneError(
                f"{name} is the key that signs tokens",
                code="signing-key-in-use",
                hint="Rotate first, issue new tokens, and retire it then.",
            )
        if not await self._secrets.delete(series.key(serial)):
            raise series.missing(str(serial))
        log.info("signing-key-retired: tokens signed by %s are void", name)

    async def _signing(self, series: KeySeries) -> str:
        """The `kid` of the key that signs; "" where none does."""
        try:
            kid, _ = await self.newest(series)
        except (SigningKeyNotFoundError, SigningKeyError):
            return ""
        return kid

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
        key = series.revocations[0]
        for _ in range(ATTEMPTS_MAX):
            listed = await self._secrets.get(key)
            extended = with_revoked(listed or b"", token_id)
            if extended == listed:
                return
            if await self._secrets.put(key, extended, expected=listed):
                log.info("token-revoked: %r is listed in %s", token_id, key.name)
                return
        raise _contended(key.name)


async def _prove_here(pem: bytes) -> SigningKey:
    return SigningKey.proven(pem)


def _validates(pem: bytes) -> bool:
    try:
        public_key_of(pem)
    except SigningKeyError:
        return False
    return True


def _contended(name: str) -> ControlPlaneError:
    return ControlPlaneError(
        f"{name} was changed by others {ATTEMPTS_MAX} times in a row",
        code="signing-keys-contended",
        hint="Try again.",
    )
