"""Users of the API, and how a request proves to be one's (docs/wire/tokens.md#users)."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.tokens import UserClaims

AUTHENTICATED: Final = "mesh-system:authenticated"
UNAUTHENTICATED: Final = "mesh-system:unauthenticated"
ADMINS: Final = "mesh-system:admin"


@dataclass(frozen=True, slots=True)
class User:
    """A user who asks for something."""

    name: str
    groups: tuple[str, ...] = ()
    of_page: bool = False  # asks through a web page of another origin, which sees the answer, too

    @property
    def is_authenticated(self) -> bool:
        """Whether something proves who this is."""
        return AUTHENTICATED in self.groups

    def __str__(self) -> str:
        return "/".join((self.name, ",".join(self.groups)))


ADMIN: Final = User("mesh-system:admin", (ADMINS, AUTHENTICATED))
ANONYMOUS: Final = User("mesh-system:anonymous", (UNAUTHENTICATED,))


def user_of(claims: UserClaims) -> User:
    """The user that a verified token names. No token makes its bearer anonymous."""
    groups = (group for group in claims.groups if group not in {AUTHENTICATED, UNAUTHENTICATED})
    return User(claims.name, (*groups, AUTHENTICATED))


class Authentication(StrEnum):
    """What proves who a user is, besides asking from this machine."""

    TOKENS = "tokens"
    ADMIN_CLIENT_CERTS = "adminClientCerts"


@dataclass(frozen=True, slots=True)
class BearerToken:
    """What a request shows as a proof; whether it is one is for the caller to verify."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """What is known of a request before any of it is verified.

    `local`: made on this machine, for this machine (shell/rest_api/localhost.py). `certified`: over
    a connection whose client showed a certificate that was verified, and for no foreign web page.
    `foreign_page`: for a web page of another origin.
    """

    local: bool
    certified: bool = False
    foreign_page: bool = False
    authorization: str | None = None  # the header


def credentials_of(
    requester: Requester,
    *,
    localhost_is_admin: bool = True,
    authentication: Authentication = Authentication.TOKENS,
) -> User | BearerToken:
    """Who asks, or the token that has to tell.

    A token that is sent is meant, also where asking from this machine would do without: a token
    tried there counts for what it counts elsewhere. Schemes other than Bearer prove nothing and
    harm nothing.
    """
    scheme, _, token = (requester.authorization or "").partition(" ")
    if authentication is Authentication.TOKENS and scheme.lower() == "bearer":
        return BearerToken(token.strip(" "))
    if localhost_is_admin and requester.local:
        return ADMIN
    if authentication is Authentication.ADMIN_CLIENT_CERTS and requester.certified:
        return ADMIN
    return ANONYMOUS


def is_open_to_all(method: str, path: str) -> bool:
    """Whether no proof of identity is asked for: the index, and the pages of the GUI.

    `path` is the normalised one, below the API's base path.
    """
    return (method == "GET" and path == "/") or path.startswith("/gui")
