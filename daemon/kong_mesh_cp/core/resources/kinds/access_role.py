"""AccessRole and AccessRoleBinding: who may change what under `rbac`.

Source: docs/wire/tokens.md#roles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind, proto_kind
from kong_mesh_cp.core.schema.messages import EMPTY, Message, proto, read_message, unknown_members
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX, FieldPath, Violation, root

# A refusal lists them in this order.
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
ANY: Final = "*"

# What conditions ask of policies of either generation: no policy has parts of both.
OF_CONNECTIONS: Final = frozenset({"sources", "destinations", "selectors"})
OF_POLICIES: Final = frozenset({"targetRef", "from", "to"})
# A token condition stands alone: it is asked before there is a resource.
OF_TOKENS: Final = frozenset({"dpToken"})

SUBJECT_TYPES: Final = ("User", "Group")
WARNINGS_MAX: Final = 10  # of one role

_CANNOT_BE_EMPTY: Final = "cannot be empty"
_UNKNOWN: Final = "is no member of a rule. Without it the rule would grant more than it says"
_VOID: Final = (
    "it asks for nothing, or for what no resource has together. A rule that needs no condition "
    "has no `when`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMatch(Message):
    """Tags that have to be there; the value `*` is any."""

    match: Mapping[str, str] = EMPTY

    @property
    def is_void(self) -> bool:
        return not self.match


@dataclass(frozen=True, slots=True, kw_only=True)
class RefCondition(Message):
    """What a targetRef has to be; what is empty is left open."""

    kind: str = ""
    name: str = ""
    tags: Mapping[str, str] = EMPTY
    mesh: str = ""  # `*` is any

    @property
    def is_void(self) -> bool:
        return not (self.kind or self.name or self.tags or self.mesh.strip(ANY))


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionCondition(Message):
    """What the targetRef of each entry of `to` or `from` has to be."""

    target_ref: RefCondition | None = None

    @property
    def is_void(self) -> bool:
        return self.target_ref is None or self.target_ref.is_void


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTag(Message):
    """A value that a tag of a proxy's token may have; `*` is any."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCondition(Message):
    """The tags that a proxy's token has to name."""

    tags: tuple[TokenTag, ...] = ()

    @property
    def is_void(self) -> bool:
        return not self.tags


ConditionPart = TagMatch | TokenCondition | RefCondition | DirectionCondition


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

    @property
    def parts(self) -> Mapping[str, ConditionPart]:
        """What it asks, by the member of a resource (or `dpToken`) that it asks it of."""
        parts: dict[str, ConditionPart | None] = {
            "sources": self.sources,
            "destinations": self.destinations,
            "selectors": self.selectors,
            "dpToken": self.dp_token,
            "targetRef": self.target_ref,
            "from": self.from_,
            "to": self.to,
        }
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def is_void(self) -> bool:
        """Whether nothing fulfils it: it asks for nothing, or in part, or for what no resource
        has together.
        """
        parts = self.parts
        together = any(parts.keys() <= each for each in (OF_CONNECTIONS, OF_POLICIES, OF_TOKENS))
        return not parts or not together or any(part.is_void for part in parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule(Message):
    """What is granted; an empty list of types, names or conditions is all of them."""

    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    mesh: str = ""  # "": in any mesh and in none; `*`: in any mesh, and each mesh itself
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
    # Types and names may be empty, which means all of them; a rule without an access grants nothing
    # and is taken for a slip.
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
                # There is no wildcard among the tags of tokens: an empty value would fit no token.
                if not tag.value:
                    yield tags.index(index).field("value").violation(_CANNOT_BE_EMPTY)


def _binding_violations(binding: AccessRoleBinding) -> list[Violation]:
    violations = []
    for number, subject in enumerate(binding.subjects):
        path = root("subjects").index(number)
        if subject.type not in SUBJECT_TYPES:
            violations.append(
                # Case counts, as everywhere in enumerations of Kuma.
                path.field("type").violation(f"must be one of {', '.join(SUBJECT_TYPES)}")
            )
        if not subject.name:
            violations.append(path.field("name").violation(_CANNOT_BE_EMPTY))
    violations.extend(
        # Whether the role exists is not asked: bindings may come first, and a role may come back.
        root("roles").index(number).violation(_CANNOT_BE_EMPTY)
        for number, role in enumerate(binding.roles)
        if not role
    )
    return violations


def _read_role(document: JsonObject) -> AccessRole:
    """Raises: ParseError; InvalidResourceError for a rule with unknown members.

    Other types ignore such members. Here a slip (`destination`, `Types`) would make a rule wider.
    """
    role = read_message(AccessRole, document)
    given = document.get("rules")
    unknown = (
        at.violation(_UNKNOWN)
        for number, rule in enumerate(given if isinstance(given, list) else ())
        for at in unknown_members(AccessRule, rule, root("rules").index(number))
    )
    # One more than is shown, so that the answer can say that there are more.
    violations = tuple(islice(unknown, VIOLATIONS_MAX + 1))
    if violations:
        raise InvalidResourceError(violations)
    return role


def _role_warnings(role: AccessRole) -> Sequence[str]:
    void = (
        root("rules").index(number).field("when").index(index).text
        for number, rule in enumerate(role.rules)
        for index, condition in enumerate(rule.when)
        if condition.is_void
    )
    return tuple(f"{at} is never fulfilled: {_VOID}" for at in islice(void, WARNINGS_MAX))


KIND: Final = replace(
    # All other kinds read leniently, as protobuf's JSON mapping in Kuma does (DiscardUnknown).
    proto_kind("AccessRole", AccessRole, _role_violations, _role_warnings),
    parse=_read_role,
)
BINDING_KIND: Final[Kind[AccessRoleBinding]] = proto_kind(
    "AccessRoleBinding", AccessRoleBinding, _binding_violations
)
