"""AccessRole and AccessRoleBinding: who may change what under `rbac` (wire contract 12.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.proto import EMPTY, Message, proto
from kong_mesh_cp.core.resources.violations import FieldPath, Violation, root

ACCESSES: Final = (
    "CREATE",
    "UPDATE",
    "DELETE",
    "GENERATE_DATAPLANE_TOKEN",
    "GENERATE_USER_TOKEN",
    "GENERATE_ZONE_CP_TOKEN",
    "GENERATE_ZONE_TOKEN",
    "VIEW_CONFIG_DUMP",
    "VIEW_STATS",
    "VIEW_CLUSTERS",
)
SUBJECT_TYPES: Final = ("User", "Group")
_CANNOT_BE_EMPTY: Final = "cannot be empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMatch(Message):
    """Tags that have to be there; the value `*` is any."""

    match: Mapping[str, str] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCondition(Message):
    """What a targetRef has to be; what is empty is left open."""

    kind: str = ""
    name: str = ""
    tags: Mapping[str, str] = EMPTY
    mesh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionCondition(Message):
    """What the targetRef of each entry of `to` or `from` has to be."""

    target_ref: RefCondition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTag(Message):
    """A value that a tag of a proxy's token may have; `*` is any."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCondition(Message):
    """The tags that a proxy's token has to name."""

    tags: tuple[TokenTag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Message):
    """Everything in it has to be so."""

    sources: TagMatch | None = None
    destinations: TagMatch | None = None
    selectors: TagMatch | None = None
    dp_token: TokenCondition | None = None
    target_ref: RefCondition | None = None
    from_: DirectionCondition | None = proto(json="from")
    to: DirectionCondition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule(Message):
    """What is granted; an empty list of types, names or conditions is all of them."""

    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    mesh: str = ""  # "" and `*`: of any mesh and of none
    access: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()  # one of them is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRole(Message):
    """Rules; one of them is enough."""

    rules: tuple[AccessRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Message):
    """A user or a group, by name."""

    type: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRoleBinding(Message):
    """Gives each of `subjects` all of `roles`. A role that does not exist gives nothing."""

    subjects: tuple[Subject, ...] = ()
    roles: tuple[str, ...] = ()


def _role_violations(role: AccessRole) -> list[Violation]:
    path = root("rules")
    return [
        violation
        for number, rule in enumerate(role.rules)
        for violation in _rule_violations(path.index(number), rule)
    ]


def _rule_violations(path: FieldPath, rule: AccessRule) -> Iterable[Violation]:
    access = path.field("access")
    if not rule.access:
        yield access.violation(_CANNOT_BE_EMPTY)
    for number, name in enumerate(rule.access):
        if name not in ACCESSES:
            yield access.index(number).violation(f"must be one of {', '.join(ACCESSES)}")
    for number, condition in enumerate(rule.when):
        when = path.field("when").index(number)
        if condition.dp_token is not None:
            tags = when.field("dpToken").field("tags")
            for index, tag in enumerate(condition.dp_token.tags):
                if not tag.name:
                    yield tags.index(index).field("name").violation(_CANNOT_BE_EMPTY)
                if not tag.value:
                    yield tags.index(index).field("value").violation(_CANNOT_BE_EMPTY)


def _binding_violations(binding: AccessRoleBinding) -> list[Violation]:
    violations = []
    for number, subject in enumerate(binding.subjects):
        path = root("subjects").index(number)
        if subject.type not in SUBJECT_TYPES:
            violations.append(
                path.field("type").violation(f"must be one of {', '.join(SUBJECT_TYPES)}")
            )
        if not subject.name:
            violations.append(path.field("name").violation(_CANNOT_BE_EMPTY))
    violations.extend(
        root("roles").index(number).violation(_CANNOT_BE_EMPTY)
        for number, role in enumerate(binding.roles)
        if not role
    )
    return violations


KIND: Final[Kind[AccessRole]] = proto_kind("AccessRole", AccessRole, _role_violations)
BINDING_KIND: Final[Kind[AccessRoleBinding]] = proto_kind(
    "AccessRoleBinding", AccessRoleBinding, _binding_violations
)
