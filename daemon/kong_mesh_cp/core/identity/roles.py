"""What users may do by AccessRole and AccessRoleBinding (`KUMA_ACCESS_TYPE=rbac`).

Roles decide about writing and about issuing tokens. Reading, and looking into proxies, stays as the
static lists have it: secrets for administrators, all else for everyone. But a user who may issue
tokens of users can be an administrator at any time, and so reads secrets, too.

Source: docs/wire/tokens.md#roles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.access import (
    Action,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    StaticAccess,
    Verb,
    WriteResource,
)
from kong_mesh_cp.core.identity.conditions import (
    allows_token,
    allows_tokens,
    can_be_fulfilled,
    is_fulfilled,
)
from kong_mesh_cp.core.identity.token_requests import CONTROL_PLANE_SCOPE
from kong_mesh_cp.core.identity.users import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    ANY,
    AccessRole,
    AccessRoleBinding,
    AccessRule,
    Subject,
)

ADMIN_ROLE: Final = "admin"  # the names of what is made at the first start
ADMIN_BINDING: Final = "default"

_GENERATE_DATAPLANE: Final = "GENERATE_DATAPLANE_TOKEN"
_GENERATE_USER: Final = "GENERATE_USER_TOKEN"
_GENERATE_ZONE: Final = "GENERATE_ZONE_TOKEN"
_GENERATE_ZONE_CP: Final = "GENERATE_ZONE_CP_TOKEN"
_ZONE_ACCESSES: Final = (_GENERATE_ZONE, _GENERATE_ZONE_CP)

_WRITES: Final = frozenset(verb.value for verb in Verb)
_EVERYTHING: Final = (
    *("CREATE", "UPDATE", "DELETE"),
    *(_GENERATE_DATAPLANE, _GENERATE_USER, _GENERATE_ZONE_CP, _GENERATE_ZONE),
)
_SECRETS: Final = ("GlobalSecret", "Secret")
# The keys of users' tokens are GlobalSecrets: who writes one signs a token for anybody.
_WAYS_TO_MORE: Final = frozenset({"AccessRole", "AccessRoleBinding", "GlobalSecret"})


def admin_role() -> AccessRole:
    """The role `admin` of a first start: every write, every token."""
    return AccessRole(rules=(AccessRule(access=_EVERYTHING),))


def admin_binding(
    *, users: Iterable[str] = (), groups: Iterable[str] = (AUTHENTICATED, UNAUTHENTICATED)
) -> AccessRoleBinding:
    """Who gets it. The default is Kong Mesh's: everybody, anonymous clients included."""
    return AccessRoleBinding(
        subjects=(
            *(Subject(type="Group", name=name) for name in groups),
            *(Subject(type="User", name=name) for name in users),
        ),
        roles=(ADMIN_ROLE,),
    )


def is_by_role(action: Action) -> bool:
    """Whether roles decide about it, rather than lists."""
    return action is Operation.CHANGE_SEALING_KEY or isinstance(
        action, WriteResource | IssueDataplaneToken | IssueZoneToken | IssueUserToken
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAccess:
    """Roles by name, and who has them."""

    roles: Mapping[str, AccessRole]
    bindings: tuple[AccessRoleBinding, ...]
    readers: StaticAccess = field(default_factory=StaticAccess)

    def permits(self, user: User, action: Action) -> bool:
        match action:
            case WriteResource():
                return any(_allows_write(rule, action) for rule in self._rules(user))
            case IssueDataplaneToken():
                return any(_allows_dataplane_token(rule, action) for rule in self._rules(user))
            case IssueZoneToken(unread=True):
                return any(self._grants(user, access) for access in _ZONE_ACCESSES)
            case IssueZoneToken(scope=scope):
                return all(self._grants(user, access) for access in _zone_accesses(scope))
            case IssueUserToken():
                return self._grants(user, _GENERATE_USER)
            case Operation.CHANGE_SEALING_KEY:
                return any(map(_covers_every_secret, self._rules(user)))
            case ReadResource():
                return self.readers.permits(user, action) or (
                    self._grants(user, _GENERATE_USER) and not user.of_page
                )
            case _:
                return self.readers.permits(user, action)

    def gives_anything(self) -> bool:
        """Whether roles give anything to any user."""
        return any(binding.subjects and any(self._rules_of(binding)) for binding in self.bindings)

    def open_to_all(self) -> tuple[str, ...]:
        """Roles that those have who have shown nothing, by name."""
        names = {
            name
            for binding in self.bindings
            if any(_is(subject, ANONYMOUS) for subject in binding.subjects)
            for name in binding.roles
            if name in self.roles and self.roles[name].rules
        }
        return tuple(sorted(names))

    def leading_to_more(self) -> tuple[str, ...]:
        """Roles by name that are bound, and who has them can get every right: they write roles,
        bindings or GlobalSecrets. Those that say plainly that they are administrators' are left
        out.
        """
        names = {
            name
            for binding in self.bindings
            if binding.subjects
            for name in binding.roles
            if name in self.roles and _leads_to_more(self.roles[name])
        }
        return tuple(sorted(names))

    def _grants(self, user: User, access: str) -> bool:
        """For what is in no mesh and has no tags: a rule for meshes or with conditions is not
        about it.
        """
        return any(
            access in rule.access and not rule.mesh and not rule.when for rule in self._rules(user)
        )

    def _rules(self, user: User) -> Iterable[AccessRule]:
        for binding in self.bindings:
            if any(_is(subject, user) for subject in binding.subjects):
                yield from self._rules_of(binding)

    def _rules_of(self, binding: AccessRoleBinding) -> Iterable[AccessRule]:
        for name in binding.roles:
            if name in self.roles:
                yield from self.roles[name].rules


def _is(subject: Subject, user: User) -> bool:
    match subject.type:
        case "User":
            return subject.name == user.name
        case "Group":
            return subject.name in user.groups
        case _:
            return False


def _zone_accesses(scope: tuple[str, ...]) -> set[str]:
    return {
        _GENERATE_ZONE_CP if entry == CONTROL_PLANE_SCOPE else _GENERATE_ZONE for entry in scope
    } or {_GENERATE_ZONE}


def _allows_write(rule: AccessRule, write: WriteResource) -> bool:
    if write.verb.value not in rule.access:
        return False
    if rule.types and write.type not in rule.types:
        return False
    if rule.names and write.name not in rule.names:
        return False
    if not _covers_mesh(rule, write.name if write.type == "Mesh" else write.mesh):
        return False
    if not rule.when:
        return True
    if write.unread:
        return any(can_be_fulfilled(condition, write.type) for condition in rule.when)
    # Both: otherwise another team's policy could be taken over, or one's own moved to others.
    return bool(write.bodies) and all(
        any(is_fulfilled(condition, write.type, write.mesh, body) for condition in rule.when)
        for body in write.bodies
    )


def _allows_dataplane_token(rule: AccessRule, issue: IssueDataplaneToken) -> bool:
    if _GENERATE_DATAPLANE not in rule.access:
        return False
    if issue.unread:
        return not rule.when or any(map(allows_tokens, rule.when))
    if not _covers_mesh(rule, issue.mesh):
        return False
    return not rule.when or any(allows_token(condition, issue.tags) for condition in rule.when)


def _covers_mesh(rule: AccessRule, mesh: str) -> bool:
    """`mesh` is "" for what is in none: `*` is every mesh, and does not cover that."""
    return not rule.mesh or (bool(mesh) and rule.mesh in {ANY, mesh})


def _covers_every_secret(rule: AccessRule) -> bool:
    """Whether it lets change all of them, in every mesh and in none."""
    return (
        Verb.UPDATE.value in rule.access
        and (not rule.types or set(_SECRETS) <= set(rule.types))
        and not (rule.names or rule.mesh or rule.when)
    )


def _leads_to_more(role: AccessRole) -> bool:
    is_administrators = any(
        rule == AccessRule(access=rule.access) and set(_EVERYTHING) <= set(rule.access)
        for rule in role.rules
    )
    return not is_administrators and any(
        not rule.mesh
        and not rule.when
        and not _WRITES.isdisjoint(rule.access)
        and (not rule.types or not _WAYS_TO_MORE.isdisjoint(rule.types))
        for rule in role.rules
    )
