"""Kind: how resources of one type are read, checked and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.schema.member_names import Confs
from kong_mesh_cp.core.schema.messages import Message, read_message, write_message
from kong_mesh_cp.core.schema.violations import Violation

S = TypeVar("S")
M = TypeVar("M", bound=Message)


class InvalidResourceError(Exception):
    """A body that is readable, but no resource: every violation of it."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in violations))
        self.violations = tuple(violations)


@dataclass(frozen=True, slots=True)
class Kind(Generic[S]):
    """One resource type. All of its functions are pure.

    `parse` takes the whole body and raises ParseError (cannot be read) or InvalidResourceError
    (does not fit the type's schema). `validate` tells all that is semantically wrong with a spec;
    where a type has `validate_change`, that is asked in its place for a spec that replaces another,
    which comes first. `validate_name` tells what its type asks of name and display name beyond what
    all have to be, `warnings` what is deprecated in a spec. `render` gives the members that follow
    the meta, in order: the fields of the spec inline, or a single `spec`.
    """

    type: str
    # Functions instead of methods to override: the many kinds differ in data more than in
    # behaviour, and a test can ask for each by itself.
    parse: Callable[[JsonObject], S]
    validate: Callable[[S], Sequence[Violation]]
    render: Callable[[S], dict[str, object]]
    warnings: Callable[[S], Sequence[str]] = lambda _spec: ()
    validate_name: Callable[[str, str], Sequence[Violation]] = lambda _name, _display_name: ()
    parse_status: Callable[[JsonObject], object] | None = None
    render_status: Callable[[Any], dict[str, object]] | None = None
    validate_change: Callable[[S, S], Sequence[Violation]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtoKind(Kind[M]):
    """The message that is the schema of the spec.

    `confs`: for messages whose `conf` is any object, which message it is by their `type`.
    """

    message_type: type[M]
    confs: Callable[[], Confs] = dict


def proto_kind(
    name: str,
    message_type: type[M],
    validate: Callable[[M], Sequence[Violation]] = lambda _spec: (),
    warnings: Callable[[M], Sequence[str]] = lambda _spec: (),
    *,
    validate_change: Callable[[M, M], Sequence[Violation]] | None = None,
    confs: Callable[[], Confs] = dict,
) -> ProtoKind[M]:
    """A type whose spec is a message, inline in the resource; unknown members are ignored."""
    return ProtoKind(
        type=name,
        message_type=message_type,
        confs=confs,
        # The members of the meta are no fields of any message and so are passed over: the spec of
        # these types stands beside them, not below a member of its own.
        parse=lambda document: read_message(message_type, document),
        validate=validate,
        validate_change=validate_change,
        render=write_message,
        warnings=warnings,
    )
