"""What the tokens of users, data plane proxies and zones say (docs/wire/tokens.md#token-format)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final, Self, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import HOUR, SECOND
from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.identity import jwt
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.rsa_keys import SigningKey, VerifyingKey

CLOCK_SKEW_SECONDS: Final = 5 * 60  # a verifier's clock may be this far behind the issuer's
TEN_YEARS_NANOSECONDS: Final = 10 * 365 * 24 * HOUR  # where no validity is given
INSTANT_SECONDS_MAX: Final = 253_402_300_799  # the end of the year 9999

# One key may be trusted for several kinds of token. A claim that belongs to another kind tells
# that the token was made for that one, so a proxy's token is never taken for a user's.
_KINDS_CLAIMS: Final = frozenset({"Name", "Groups", "Mesh", "Tags", "Type", "Zone", "Scope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UserClaims:
    """A user of the API."""

    names: ClassVar = frozenset({"Name", "Groups"})

    name: str
    groups: tuple[str, ...] = ()

    def payload(self) -> dict[str, object]:
        return {"Name": self.name, "Groups": list(self.groups)}

    @classmethod
    def read(cls, payload: JsonObject) -> Self:
        claims = cls(name=_text(payload, "Name"), groups=_texts(payload, "Groups"))
        if not claims.name:
            raise _wrong("Name")
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneClaims:
    """A data plane proxy. What is empty leaves that open."""

    names: ClassVar = frozenset({"Name", "Mesh", "Tags", "Type"})

    name: str = ""
    mesh: str = ""
    tags: Mapping[str, tuple[str, ...]]
    type: str = ""

    def payload(self) -> dict[str, object]:
        tags = {tag: list(values) for tag, values in self.tags.items()}
        return {"Name": self.name, "Mesh": self.mesh, "Tags": tags or None, "Type": self.type}

    @classmethod
    def read(cls, payload: JsonObject) -> Self:
        tags = payload.get("Tags")
        if tags is not None and not is_object(tags):
            raise _wrong("Tags")
        return cls(
            name=_text(payload, "Name"),
            mesh=_text(payload, "Mesh"),
            tags={tag: _list_of_texts(values, "Tags") for tag, values in (tags or {}).items()},
            type=_text(payload, "Type"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneClaims:
    """Proxies of a zone, or its control plane. An empty zone is any."""

    names: ClassVar = frozenset({"Zone", "Scope"})

    zone: str
    scope: tuple[str, ...]

    def payload(self) -> dict[str, object]:
        return {"Zone": self.zone, "Scope": list(self.scope)}

    @classmethod
    def read(cls, payload: JsonObject) -> Self:
        return cls(zone=_text(payload, "Zone"), scope=_texts(payload, "Scope"))


Claims = UserClaims | DataplaneClaims | ZoneClaims
C = TypeVar("C", UserClaims, DataplaneClaims, ZoneClaims)


def sign(
    claims: Claims,
    *,
    key: SigningKey,
    kid: str,
    token_id: str,
    now: datetime,
    valid_nanoseconds: int,
) -> str:
    """A token for `claims`, good from a little before `now`. Raises as `jwt.encode`.

    `token_id` is what a revocation names; it has to be unique (a UUID).
    """
    issued = int(now.timestamp())
    payload = {
        **claims.payload(),
        "exp": issued + valid_nanoseconds // SECOND,
        "nbf": issued - CLOCK_SKEW_SECONDS,
        "iat": issued,
        "jti": token_id,
    }
    return jwt.encode(payload, key=key, kid=kid)


def verify(
    token: PresentedToken,
    claims: type[C],
    *,
    keys: Iterable[VerifyingKey],
    revoked: Container[str],
    now: datetime,
) -> C:
    """What `token` says, when it is signed by one of `keys`, in force, and none of `revoked`.

    A token without `exp` does not end: offline signing may make such. Raises:
    TokenRejectedError.
    """
    payload = token.payload(keys)
    _require_time(payload, now)
    token_id = payload.get("jti")
    if token_id is not None and not isinstance(token_id, str):
        raise _wrong("jti")
    if token_id is not None and token_id in revoked:
        raise TokenRejectedError(TokenFault.REVOKED, "token is revoked", token_id=token_id)
    if payload.keys() & (_KINDS_CLAIMS - claims.names):
        raise TokenRejectedError(TokenFault.CLAIMS, "token was made for something else")
    return claims.read(payload)


def _require_time(payload: JsonObject, now: datetime) -> None:
    expires, begins = _instant(payload, "exp"), _instant(payload, "nbf")
    _instant(payload, "iat")  # says nothing about now; it only has to be a number
    seconds, token_id = now.timestamp(), payload.get("jti")
    known = token_id if isinstance(token_id, str) else ""
    if expires is not None and seconds >= expires:
        more = f"It ended at {_shown(expires)}."
        raise TokenRejectedError(TokenFault.EXPIRED, "token is expired", more=more, token_id=known)
    if begins is not None and seconds < begins:
        more = f"It begins at {_shown(begins)}; see that the clocks agree."
        raise TokenRejectedError(
            TokenFault.NOT_YET_VALID, "token is not valid yet", more=more, token_id=known
        )


def _shown(instant: float) -> str:
    """Of an instant between 1970 and 9999."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _instant(payload: JsonObject, name: str) -> float | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name)
    if not 0 <= value <= INSTANT_SECONDS_MAX:
        raise _wrong(name)
    return value


def _text(payload: JsonObject, name: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name)
    return value


def _texts(payload: JsonObject, name: str) -> tuple[str, ...]:
    value = payload.get(name)
    return () if value is None else _list_of_texts(value, name)


def _list_of_texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name)
    return tuple(value)


def _wrong(name: str) -> TokenRejectedError:
    return TokenRejectedError(TokenFault.CLAIMS, f"token has a claim {name} that cannot be used")
