"""Audit lines: what is logged of rights that are granted, seen or changed, and of refusals.

One line of the log for each, with a stable code in front. None has a secret, a token, a body or a
query. Text from outside is quoted and cut, so that it stays one line and a short one.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.durations import format_duration
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.tokens import Claims, DataplaneClaims, UserClaims, ZoneClaims
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.registry import ResourceType

TEXT_CHARACTERS_MAX: Final = 128  # of each text from outside, before it is quoted
REASON_CHARACTERS_MAX: Final = 320
_CUT: Final = "…"

# Of a Mesh hang its secrets, and who may join it.
_RIGHTS: Final = frozenset({"AccessRole", "AccessRoleBinding", "Mesh"})

_IPV6_NETWORK_BITS: Final = 64  # what one machine can take addresses from as it likes


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request comes from."""

    address: str  # an IP address, or `uid 1000`: what the kernel says
    says: str = ""  # what the request says besides, unverified; quoted

    def __str__(self) -> str:
        return f"{self.address} ({self.says})" if self.says else self.address

    @property
    def counted(self) -> str:
        """What has a share of its own of the lines: an address, of IPv6 its network."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if address.version == 4 or address.ipv4_mapped is not None:
            return self.address
        return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))


ITSELF: Final = Source("the control plane itself")


class Touch(StrEnum):
    """What was done to a resource."""

    READ = "READ"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A secret was read or changed, or what says who may do what was changed."""

    user: User
    touch: Touch
    type: str
    mesh: str  # "" for a type of global scope, or all meshes
    name: str  # "" for a list

    def line(self, source: Source) -> str:
        code = "audit-read" if self.touch is Touch.READ else "audit-changed"
        what = "/".join(filter(None, (self.mesh, self.name or "*")))
        return (
            f"{code}: {self.touch} {self.type} {quoted(what)}, by {_who(self.user)}, from {source}"
        )


def is_audited(resource_type: ResourceType, touch: Touch) -> bool:
    """Whether it is logged who did that to a resource of this type."""
    return resource_type.admin_only or (touch is not Touch.READ and resource_type.name in _RIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """The license's sources were read again on request."""

    user: User | None  # None: on the admission socket, where the source is all there is
    usable: bool

    def line(self, source: Source) -> str:
        outcome = "can be used" if self.usable else "cannot be used"
        by = f", by {_who(self.user)}" if self.user is not None else ""
        return f"audit-reloaded: the license, read again, {outcome}{by}, from {source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued:
    """A token was issued. Its id is what a revocation needs, and is kept nowhere else."""

    who: str  # a user of the API, or a seat
    token_id: str
    key: str
    valid_nanoseconds: int
    claims: Claims

    def line(self, source: Source) -> str:
        who = ascii(_cut(self.who, TEXT_CHARACTERS_MAX))
        return (
            f"token-issued: {who} got token {self.token_id}, signed by {self.key},"
            f" for {format_duration(self.valid_nanoseconds)}, {described(self.claims)},"
            f" from {source}"
        )


def described(claims: Claims) -> str:
    """Whom a token is for."""
    match claims:
        case UserClaims(name=name, groups=groups):
            return f"for user {quoted(name)} of groups {quoted(','.join(groups))}"
        case DataplaneClaims(name=name, mesh=mesh, tags=tags, type=type_):
            shown = " ".join(f"{tag}={','.join(values)}" for tag, values in sorted(tags.items()))
            what = f"for {type_ or 'dataplane'} {quoted(name or '*')} of mesh {quoted(mesh)}"
            return f"{what} with tags {quoted(shown)}"
        case ZoneClaims(zone=zone, scope=scope):
            return f"for zone {quoted(zone or '*')} of scope {quoted(','.join(scope))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request was refused: 401, not believed; 403, without the right; or without a word."""

    status: int
    reason: str  # without secrets
    user: User | None = None  # None: no user was verified

    def line(self, source: Source, method: str, path: str) -> str:
        who = "nobody known" if self.user is None else _who(self.user)
        reason = told(self.reason)
        return (
            f"audit-refused: {self.status} {shown(_cut(method, TEXT_CHARACTERS_MAX))}"
            f" {quoted(path)}, for {who}, from {source}: {reason}"
        )


def quoted(text: str) -> str:
    """`text` from outside, cut and in double quotes."""
    return go_quote(_cut(text, TEXT_CHARACTERS_MAX))


def told(reason: str) -> str:
    """The reason of a refusal, cut, as the end of one line."""
    return shown(_cut(reason, REASON_CHARACTERS_MAX))


def shown(text: str) -> str:
    """`text` as one line, without quotes around it."""
    return "".join(each if each.isprintable() else go_quote(each)[1:-1] for each in text)


def _who(user: User) -> str:
    return quoted(str(user))


def _cut(text: str, characters: int) -> str:
    """At most so many, from both ends: names of users stand in front, and what they want behind."""
    if len(text) <= characters:
        return text
    half = (characters - len(_CUT)) // 2
    return text[:half] + _CUT + text[-half:]
