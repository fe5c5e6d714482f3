"""Bodies of writes: read, and checked as far as that needs nothing but the body.

Source: docs/wire/resource-api.md#writing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_json import syntax_fault
from kong_mesh_cp.core.formats.go.go_values import ParseError, is_object
from kong_mesh_cp.core.resources.bodies import Draft, bad_request_detail, read_draft
from kong_mesh_cp.core.resources.body_members import known_body
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.labels import display_name
from kong_mesh_cp.core.resources.meta import name_warning
from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources import resource_refusals
from kong_mesh_cp.usecases.resources.documents import members, status_text
from kong_mesh_cp.usecases.resources.kinds import KINDS

# What is smaller is read within a few hundredths of a second, at the worst.
LARGE_BODY_BYTES: Final = 4 * 1024
LARGE_VALUES: Final = 512  # of a body that was decoded already


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBody:
    """A body that its type can be read from."""

    draft: Draft
    status: str | None
    has_status: bool = False  # it says something of it; else `status` is an empty one
    unknown: Sequence[str] = ()  # a warning for each member that has no effect
    sent_by: str | None = None  # of a large one, which is read and written in a thread


def holds_more(document: object, values_max: int) -> bool:
    """Whether there are more than `values_max` values in `document`, which is decoded JSON."""
    pending, seen = [document], 0
    while pending and seen <= values_max:
        match pending.pop():
            case dict() as members:
                seen += len(members)
                pending.extend(members.values())
            case list() as items:
                seen += len(items)
                pending.extend(items)
            case _:
                pass
    return seen > values_max


def refuse(title: str, violations: Sequence[Violation]) -> None:
    """Raises: ResourceRefusedError if there are any."""
    if violations:
        raise resource_refusals.invalid(title, violations)


def _parsed(resource_type: ResourceType, body: bytes) -> object:
    try:
        return strict_json.parse(body)
    except strict_json.StrictJsonError as error:
        reason = syntax_fault(body) or error.message
        raise _unreadable(resource_type, ParseError(reason)) from None


def read_text(
    resource_type: ResourceType,
    body: bytes,
    *,
    strict: bool = False,
    existing: StoredResource | None = None,
) -> SentBody:
    """`strict`: members that the type does not know are wrong. `existing`: what it is to replace.

    Raises: ResourceRefusedError.
    """
    document = _parsed(resource_type, body)
    return read_decoded(resource_type, document, strict=strict, existing=existing)


def read_decoded(
    resource_type: ResourceType,
    document: object,
    *,
    strict: bool = False,
    existing: StoredResource | None = None,
) -> SentBody:
    """As `read_text`, of JSON that was decoded already."""
    kind = KINDS[resource_type.name]
    unknown: Sequence[Violation] = ()
    warnings: Sequence[str] = ()
    try:
        if is_object(document):
            known = known_body(kind, document)
            document, unknown, warnings = known.document, known.violations, known.warnings
        draft = read_draft(kind, resource_type, document)
        status = status_text(kind, document if is_object(document) else {})
    except ParseError as error:
        raise _unreadable(resource_type, error) from None
    except InvalidResourceError as error:
        wrong = [_of_schema(each) for each in error.violations]
        # What is missing may be there under another name.
        more = _besides(error.violations, unknown)
        raise resource_refusals.invalid(resource_refusals.PROCESS, [*wrong, *more]) from None
    broken = _violations(kind, draft.spec, existing)
    if broken or strict:
        refuse(resource_refusals.PROCESS, [*broken, *unknown])
    has_status = is_object(document) and "status" in document
    return SentBody(draft=draft, status=status, has_status=has_status, unknown=warnings)


def _violations(
    kind: Kind[Any], spec: object, existing: StoredResource | None
) -> Sequence[Violation]:
    if kind.validate_change is None or existing is None:
        return kind.validate(spec)
    try:
        before = kind.parse(members(existing))
    except (ParseError, InvalidResourceError):  # no release of this program has stored that
        return kind.validate(spec)
    return kind.validate_change(before, spec)


def warnings_of(key: ResourceKey, given: SentBody, found: Sequence[str]) -> tuple[str, ...]:
    """What the answer to a write warns of; `found`: beside its members, its type and its name."""
    of_type = KINDS[key.type].warnings(given.draft.spec)
    deprecated = name_warning(key.type, display_name(key.name, given.draft.meta.labels))
    of_name = () if deprecated is None else (deprecated,)
    return (*of_type, *given.unknown, *found, *of_name)


def _besides(wrong: Sequence[Violation], unknown: Sequence[Violation]) -> list[Violation]:
    """Those of `unknown` that the type itself has not refused."""
    fields = {each.field for each in wrong}
    return [each for each in unknown if each.field not in fields]


def _of_schema(violation: Violation) -> Violation:
    """What a schema refuses outside of `spec` has no field of its own in answers."""
    if violation.field.startswith("spec."):
        return violation
    return Violation("", f"{violation.field} {violation.message}".lstrip())


def _unreadable(
    resource_type: ResourceType, error: ParseError
) -> resource_refusals.ResourceRefusedError:
    at = error.path.lstrip(".")
    where = [Violation(at, error.advice)] if at else []
    return resource_refusals.unreadable(bad_request_detail(resource_type, error), where)
