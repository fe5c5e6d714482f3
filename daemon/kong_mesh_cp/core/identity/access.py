"""What users may do: actions, decisions, and the lists of the `static` way.

Reading is open to everyone but for secrets. Writing takes a known user: the original
lets anonymous users of the network write whatever is no secret, and here they write nothing.

Source: docs/wire/tokens.md#static-access
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum, StrEnum
from typing import Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.identity.refusals import AccessDeniedError
from kong_mesh_cp.core.identity.token_requests import CONTROL_PLANE_SCOPE
from kong_mesh_cp.core.identity.users import ADMINS, AUTHENTICATED, UNAUTHENTICATED, User
from kong_mesh_cp.core.resources.registry import TYPES


class Verb(StrEnum):
    """What is done to a resource; the values are those of AccessRole."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class View(Enum):
    """Something to look at that is no resource; the values are the words of a refusal."""

    CONFIG_DUMP = "config dump"
    STATS = "stats"
    CLUSTERS = "clusters"
    METADATA = "control-plane metadata"


@dataclass(frozen=True, slots=True)
class ReadResource:
    """Reading resources of a type: one, a list, or through another view.

    Which one (`mesh` and `name`, as far as that is said) decides nothing.
    """

    type: str
    mesh: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResource:
    """Changing a resource. `bodies` is it before and after, as far as there is each: not what was
    sent, but what is stored for it.

    `unread`: the body has not been read, and the question is whether there is anything
    that may be sent. What is permitted so has still to be asked with its bodies.
    """

    verb: Verb
    type: str
    mesh: str  # "" for a type of global scope
    name: str
    bodies: Sequence[JsonObject] = ()
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueDataplaneToken:
    """Making a token for a data plane proxy with `tags` in `mesh`; `unread`: for any proxy."""

    mesh: str = ""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueZoneToken:
    """Making a token for a zone, for its proxies or (scope `cp`) its control plane; `unread`: for
    either.
    """

    zone: str = ""
    scope: tuple[str, ...] = ()
    unread: bool = False


@dataclass(frozen=True, slots=True)
class IssueUserToken:
    """Making a token for any user, and so for any administrator.

    `name` decides nothing, and so does `unread`: whether it is known by now.
    """

    name: str = ""
    unread: bool = False


class Operation(Enum):
    """Something for administrators that is no resource; the values are the words of a refusal."""

    SHOW_LICENSE = "the full license"
    RELOAD_LICENSE = "the reload of the license"
    CHANGE_SEALING_KEY = "the sealing key"


Action = (
    ReadResource
    | WriteResource
    | IssueDataplaneToken
    | IssueZoneToken
    | IssueUserToken
    | View
    | Operation
)


class AccessRules(Protocol):
    """A way to decide who may do what."""

    def permits(self, user: User, action: Action) -> bool: ...


@dataclass(frozen=True, slots=True)
class Denied:
    """The answer 403; `detail` is its text."""

    detail: str


def refusal_of(rules: AccessRules, user: User, action: Action) -> Denied | None:
    """Whether `user` may do `action`; None: go on."""
    return None if rules.permits(user, action) else Denied(_detail(user, action))


def require(rules: AccessRules, user: User, action: Action) -> None:
    """Raises: AccessDeniedError."""
    denied = refusal_of(rules, user, action)
    if denied is not None:
        raise AccessDeniedError(denied.detail)


def _detail(user: User, action: Action) -> str:
    who = f"user {go_quote(str(user))} cannot access"
    match action:
        case ReadResource(type=type_) | WriteResource(type=type_):
            return f"{who} the resource of type {go_quote(type_)}"
        case IssueDataplaneToken():
            return f"{who} generate dataplane token"
        case IssueZoneToken(zone=zone):
            return f"{who} generate zone token for zone '{go_quote(zone)[1:-1]}'"
        case IssueUserToken():
            return "action not allowed"
        case View() | Operation():
            return f"{who} {action.value}"


@dataclass(frozen=True, slots=True)
class Grant:
    """Those who may do one thing."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def holds_for(self, user: User) -> bool:
        return user.name in self.users or not self.groups.isdisjoint(user.groups)


_TO_ADMINS: Final = Grant(frozenset({ADMINS}), frozenset({ADMINS}))
_TO_ALL: Final = Grant(groups=frozenset({UNAUTHENTICATED, AUTHENTICATED}))

# Roles are rights to be: a user who could write them would have them after a change to `rbac`.
_GUARDED_WRITES: Final = frozenset({"AccessRole", "AccessRoleBinding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticAccess:
    """Lists from the configuration (`access.static`), with their defaults."""

    admin_resources: Grant = _TO_ADMINS
    generate_dataplane_token: Grant = _TO_ADMINS
    generate_user_token: Grant = _TO_ADMINS
    generate_zone_token: Grant = _TO_ADMINS
    generate_cp_token: Grant = _TO_ADMINS
    view_config_dump: Grant = _TO_ALL
    view_stats: Grant = _TO_ALL
    view_clusters: Grant = _TO_ALL
    control_plane_metadata: Grant = _TO_ALL

    def permits(self, user: User, action: Action) -> bool:
        match action:
            case ReadResource(type=type_):
                return not is_admin_only(type_) or (
                    self.admin_resources.holds_for(user) and not user.of_page
                )
            case WriteResource(type=type_):
                if is_admin_only(type_) or type_ in _GUARDED_WRITES:
                    return self.admin_resources.holds_for(user)
                return user.is_authenticated
            case IssueDataplaneToken():
                return self.generate_dataplane_token.holds_for(user)
            case IssueZoneToken(unread=True):
                grants = (self.generate_zone_token, self.generate_cp_token)
                return any(grant.holds_for(user) for grant in grants)
            case IssueZoneToken(scope=scope):
                return all(grant.holds_for(user) for grant in self._zone_grants(scope))
            case IssueUserToken():
                return self.generate_user_token.holds_for(user)
            case View():
                return self._view(action).holds_for(user)
            case Operation():
                shown_to_page = action is Operation.SHOW_LICENSE and user.of_page
                return self.admin_resources.holds_for(user) and not shown_to_page

    def _zone_grants(self, scope: tuple[str, ...]) -> set[Grant]:
        """A token for both proxies and the control plane of a zone takes both rights."""
        return {
            self.generate_cp_token if entry == CONTROL_PLANE_SCOPE else self.generate_zone_token
            for entry in scope or ("",)
        }

    def _view(self, view: View) -> Grant:
        match view:
            case View.CONFIG_DUMP:
                return self.view_config_dump
            case View.STATS:
                return self.view_stats
            case View.CLUSTERS:
                return self.view_clusters
            case View.METADATA:
                return self.control_plane_metadata


def is_admin_only(type_name: str) -> bool:
    """Whether even reading resources of this type takes an administrator: secrets, and what is
    not known.
    """
    known = TYPES.get(type_name)
    return known is None or known.admin_only
