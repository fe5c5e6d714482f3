"""What users may do by AccessRole and AccessRoleBinding (`KUMA_ACCESS_TYPE=rbac`, 12.3).

Roles decide about writing and about issuing tokens. Reading, and looking into proxies, stays as
the static lists have it: secrets for administrators, all else for everybody. But whoever may issue
tokens of users can be an administrator at any time, and so reads secrets, too. Where a condition
can be read in two ways, the one that grants less is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kong_mesh_cp.core.identity.access import (
    Action,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    ReadResource,
    StaticAccess,
    WriteResource,
)
from kong_mesh_cp.core.identity.token_requests import CONTROL_PLANE_SCOPE
from kong_mesh_cp.core.identity.users import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User
from kong_mesh_cp.core.resources.kinds.access_role import (
    AccessRole,
    AccessRoleBinding,
    AccessRule,
    Condition,
    DirectionCondition,
    RefCondition,
    Subject,
    TagMatch,
    TokenCondition,
)
from kong_mesh_cp.core.resources.reading import JsonObject, is_object

ANY: Final = "*"
ADMIN_ROLE: Final = "admin"  # the names of what is made at the first start
ADMIN_BINDING: Final = "default"

_GENERATE_DATAPLANE: Final = "GENERATE_DATAPLANE_TOKEN"
_GENERATE_USER: Final = "GENERATE_USER_TOKEN"
_GENERATE_ZONE: Final = "GENERATE_ZONE_TOKEN"
_GENERATE_ZONE_CP: Final = "GENERATE_ZONE_CP_TOKEN"
_WHOLE_MESH: Final[JsonObject] = {"kind": "Mesh"}


def admin_role() -> AccessRole:
    """The role `admin` of a first start: every write, every token."""
    everything = (
        *("CREATE", "UPDATE", "DELETE"),
        *(_GENERATE_DATAPLANE, _GENERATE_USER, _GENERATE_ZONE_CP, _GENERATE_ZONE),
    )
    return AccessRole(rules=(AccessRule(access=everything),))


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
    return isinstance(action, WriteResource | IssueDataplaneToken | IssueZoneToken | IssueUserToken)


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
            case IssueZoneToken(scope=scope):
                return all(self._grants(user, access) for access in _zone_accesses(scope))
            case IssueUserToken():
                return self._grants(user, _GENERATE_USER)
            case ReadResource():
                return self.readers.permits(user, action) or self._grants(user, _GENERATE_USER)
            case _:
                return self.readers.permits(user, action)

    def gives_anything(self) -> bool:
        """Whether there is anybody to whom roles give something."""
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

    def _grants(self, user: User, access: str) -> bool:
        """For what is in no mesh and has no tags: a rule for one mesh or with conditions is not
        about it.
        """
        return any(
            access in rule.access and rule.mesh in {"", ANY} and _unconditional(rule)
            for rule in self._rules(user)
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


def _unconditional(rule: AccessRule) -> bool:
    return not rule.when or Condition() in rule.when


def _allows_write(rule: AccessRule, write: WriteResource) -> bool:
    if write.verb.value not in rule.access:
        return False
    if rule.types and write.type not in rule.types:
        return False
    if rule.names and write.name not in rule.names:
        return False
    if not _covers_mesh(rule, write.name if write.type == "Mesh" else write.mesh):
        return False
    if _unconditional(rule):
        return True
    # Both: otherwise somebody else's policy could be taken over, or one's own moved to others.
    return bool(write.bodies) and all(
        any(_describes(condition, write, body) for condition in rule.when) for body in write.bodies
    )


def _allows_dataplane_token(rule: AccessRule, issue: IssueDataplaneToken) -> bool:
    if _GENERATE_DATAPLANE not in rule.access or not _covers_mesh(rule, issue.mesh):
        return False
    return _unconditional(rule) or any(
        condition == Condition(dp_token=condition.dp_token)
        and condition.dp_token is not None
        and _allows_tags(condition.dp_token, issue.tags)
        for condition in rule.when
    )


def _covers_mesh(rule: AccessRule, mesh: str) -> bool:
    return rule.mesh in {"", ANY} or rule.mesh == mesh


def _allows_tags(condition: TokenCondition, tags: Mapping[str, tuple[str, ...]]) -> bool:
    allowed: dict[str, set[str]] = {}
    for tag in condition.tags:
        allowed.setdefault(tag.name, set()).add(tag.value)
    return all(
        tags.get(name) and (ANY in values or values.issuperset(tags[name]))
        for name, values in allowed.items()
    )


def _describes(condition: Condition, write: WriteResource, body: JsonObject) -> bool:
    if condition.dp_token is not None:
        return False
    selectors = (
        (condition.sources, "sources"),
        (condition.destinations, "destinations"),
        (condition.selectors, "selectors"),
    )
    if not all(match is None or _covers_all(match, body.get(name)) for match, name in selectors):
        return False
    spec = body.get("spec")
    if not is_object(spec):
        return condition.target_ref is None and condition.from_ is None and condition.to is None
    if not _covers_ref(condition.target_ref, spec.get("targetRef"), write.mesh):
        return False
    from_ = [*_entries(spec.get("from")), *(_WHOLE_RULES for _ in _entries(spec.get("rules")))]
    return _covers_entries(condition.from_, from_, write.mesh) and _covers_entries(
        condition.to, _entries(spec.get("to")), write.mesh
    )


_WHOLE_RULES: Final[JsonObject] = {"targetRef": _WHOLE_MESH}  # `rules` are for every client


def _covers_all(match: TagMatch, selectors: object) -> bool:
    """Whether each selector of a policy selects only what `match` does; none selects all."""
    found = [each.get("match") for each in _entries(selectors)]
    return bool(found) and all(_has_tags(tags, match.match) for tags in found)


def _covers_entries(
    condition: DirectionCondition | None, entries: Iterable[JsonObject], mesh: str
) -> bool:
    return condition is None or all(
        _covers_ref(condition.target_ref, entry.get("targetRef"), mesh) for entry in entries
    )


def _covers_ref(condition: RefCondition | None, ref: object, mesh: str) -> bool:
    if condition is None:
        return True
    # Without a targetRef a policy is for the whole mesh.
    target = ref if is_object(ref) and ref.get("kind") else _WHOLE_MESH
    return (
        condition.kind in {"", target.get("kind")}
        and condition.name in {"", target.get("name")}
        and condition.mesh in {"", ANY, target.get("mesh") or mesh}
        and _has_tags(target.get("tags"), condition.tags)
    )


def _has_tags(tags: object, wanted: Mapping[str, str]) -> bool:
    found: JsonObject = tags if is_object(tags) else {}
    return all(name in found and value in {ANY, found[name]} for name, value in wanted.items())


def _entries(value: object) -> list[JsonObject]:
    return [each for each in value if is_object(each)] if isinstance(value, list) else []
