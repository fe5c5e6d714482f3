"""Hash policies: what of a request decides which endpoint it always meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.record_terms import Duration, Json, Length, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

NonEmpty = Annotated[str, Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A header, or a parameter of the query."""

    name: NonEmpty


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie whose value is hashed; with a `ttl` the proxy sets it where it is missing."""

    name: NonEmpty
    ttl: Duration | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Properties of the connection that are hashed."""

    source_ip: Annotated[bool, Json("sourceIP")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterState:
    """An object in Envoy's filter state that is hashed."""

    key: NonEmpty


TYPES: Final = ("Header", "Cookie", "Connection", "SourceIP", "QueryParameter", "FilterState")


@dataclass(frozen=True, slots=True, kw_only=True)
class HashPolicy:
    """One of them, the one that `type` names; SourceIP is an older name of Connection."""

    type: Annotated[str, OneOf(TYPES)]
    # Envoy hashes by all policies that find something, until one that is terminal has.
    terminal: bool | None = None
    header: Named | None = None
    cookie: Cookie | None = None
    connection: Connection | None = None
    query_parameter: Named | None = None
    filter_state: FilterState | None = None


def hash_violations(policies: tuple[HashPolicy, ...], at: FieldPath) -> Iterator[Violation]:
    for index, policy in enumerate(policies):
        yield from _policy(policy, at.index(index))


def hash_warnings(policies: tuple[HashPolicy, ...], at: FieldPath) -> Iterator[str]:
    for index, policy in enumerate(policies):
        if policy.type == "SourceIP":
            type_at = at.index(index).field("type")
            yield f"SourceIP type for '{type_at}' is deprecated, use Connection instead"


def _policy(policy: HashPolicy, at: FieldPath) -> Iterator[Violation]:
    members = {
        "Header": ("header", policy.header),
        "Cookie": ("cookie", policy.cookie),
        "Connection": ("connection", policy.connection),
        "SourceIP": ("connection", policy.connection),
        "QueryParameter": ("queryParameter", policy.query_parameter),
        "FilterState": ("filterState", policy.filter_state),
    }
    # The schema refuses other types first; the text is Kuma's for all that gets past it.
    if policy.type not in members:
        yield at.field("type").violation("unrecognized type")
        return
    name, value = members[policy.type]
    if value is None:
        yield at.field(name).violation(MUST_BE_DEFINED)
    # The path of a cookie that the proxy sets; browsers ignore one that is not absolute.
    if isinstance(value, Cookie) and value.path is not None and value.path[:1] != "/":
        yield at.field("cookie").field("path").violation("must be an absolute path")
