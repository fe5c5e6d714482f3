"""The bodies of `POST /tokens/…`: what is read, and what must be in them.

Source: docs/wire/tokens.md#issuing
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.durations import DurationError, parse_duration
from kong_mesh_cp.core.formats.go.go_values import (
    JsonObject,
    ParseError,
    read_array,
    read_object,
    read_string,
)
from kong_mesh_cp.core.identity.refusals import InvalidTokenRequestError, UndecodableRequestError
from kong_mesh_cp.core.identity.tokens import TEN_YEARS_NANOSECONDS
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.schema.member_names import Shape, is_plain
from kong_mesh_cp.core.schema.violations import ROOT, FieldPath, Violation, root

if TYPE_CHECKING:
    from kong_mesh_cp.core.schema import unknown_members
else:
    unknown_members = lazy_import("kong_mesh_cp.core.schema.unknown_members")

REQUEST_BYTES_MAX: Final = 11 * 1024  # so that what it asks for fits into a token
CANNOT_BE_EMPTY: Final = "cannot be empty"
NOT_POSITIVE: Final = "cannot be empty or nil"
CONTROL_PLANE_SCOPE: Final = "cp"

SCOPES: Final = ("ingress", "egress", CONTROL_PLANE_SCOPE)

# A list that somebody has written as one text would be one long name, which nobody has.
_LIST_IN_TEXT: Final = re.compile(r"[\r\n\t;]|^\s|\s$|^[\[{]")
_ONE_BY_ONE: Final = "is a list in one text: write each item as an item of its own"

_PROXY_TYPES: Final = ("", "dataplane", "ingress", "egress")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneTokenRequest:
    """A token for a proxy of `mesh`."""

    name: str
    mesh: str
    tags: Mapping[str, tuple[str, ...]]
    type: str
    valid_for: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises: UndecodableRequestError."""
        given = _given(body, "name", "mesh", "tags", "type", "validFor")
        with _telling():
            return cls(
                name=_text(given, "name"),
                mesh=_text(given, "mesh"),
                tags=_tags(given),
                type=_text(given, "type"),
                valid_for=_text(given, "validFor"),
            )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        violations = [] if self.mesh else [Violation("mesh", CANNOT_BE_EMPTY)]
        for_nanoseconds = _nanoseconds(self.valid_for or None, violations)
        if self.type not in _PROXY_TYPES:
            violations.append(Violation("type", f"{self.type} is not a valid proxy type"))
        for tag, values in self.tags.items():
            # No tag of a proxy has a comma or a blank in it.
            at = root("tags").key(tag)
            violations += _in_one_text(at, values, lambda text: "," in text or " " in text)
        if violations:
            raise InvalidTokenRequestError(violations)
        return for_nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTokenRequest:
    """A token for the zone proxies of a zone, or for its control plane."""

    zone: str
    scope: tuple[str, ...] | None
    valid_for: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises: UndecodableRequestError."""
        given = _given(body, "zone", "scope", "validFor")
        with _telling():
            return cls(
                zone=_text(given, "zone"),
                scope=None if given.get("scope") is None else _list(given["scope"], "scope"),
                valid_for=_text(given, "validFor"),
            )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        # An empty list would make a token that is good for nothing.
        violations = [] if self.scope else [Violation("scope", CANNOT_BE_EMPTY)]
        violations += (
            root("scope").index(number).violation(f"must be one of: {', '.join(SCOPES)}")
            for number, each in enumerate(self.scope or ())
            if each not in SCOPES
        )
        return _checked(self.valid_for or None, violations)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokenRequest:
    """A token for a user of the API."""

    name: str
    groups: tuple[str, ...]
    valid_for: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises: UndecodableRequestError."""
        given = _given(body, "name", "groups", "validFor")
        with _telling():
            return cls(
                name=_text(given, "name"),
                groups=_list(given.get("groups"), "groups"),
                valid_for=_text(given, "validFor"),
            )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        violations = [] if self.name else [Violation("name", CANNOT_BE_EMPTY)]
        # A name of a directory (`cn=admins,dc=example`) is one name.
        violations += _in_one_text(
            root("groups"), self.groups, lambda text: "," in text and "=" not in text
        )
        if not self.valid_for:
            violations.append(Violation("validFor", CANNOT_BE_EMPTY))
            raise InvalidTokenRequestError(violations)
        return _checked(self.valid_for, violations)


def _given(body: bytes, *names: str) -> JsonObject:
    """The members, whose names are read in any case of letters.

    Raises: UndecodableRequestError; InvalidTokenRequestError for a member that is none of `names`.
    Kuma ignores those; but a slip (`tag`, `group`) makes a token for more, or for nothing, and
    where the answer is the token there is no place for a warning.
    """
    if len(body) > REQUEST_BYTES_MAX:
        raise UndecodableRequestError(f"it is larger than {REQUEST_BYTES_MAX} bytes")
    try:
        document = read_object(strict_json.parse(body))
    except strict_json.StrictJsonError as error:
        raise UndecodableRequestError(error.message) from None
    except ParseError as error:
        raise UndecodableRequestError(error.reason) from None
    shape = Shape(members=dict.fromkeys(names), told=names, folds=True)
    if is_plain(shape, document):
        return document
    reading = unknown_members.MemberReading(shape)
    with _telling():
        given = reading.read(shape, document, ROOT)
    if reading.unknown:
        told = (Violation(each.at, f"unknown member; {each.remark}") for each in reading.unknown)
        raise InvalidTokenRequestError([*told])
    return given


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        at = error.path.lstrip(".")
        where = [Violation(at, error.advice)] if at else []
        raise UndecodableRequestError(error.reason, where) from None


def _text(given: JsonObject, name: str) -> str:
    try:
        return read_string(given.get(name))
    except ParseError as error:
        raise error.below(name) from None


def _tags(given: JsonObject) -> Mapping[str, tuple[str, ...]]:
    try:
        members = read_object(given.get("tags"))
    except ParseError as error:
        raise error.below("tags") from None
    return {tag: _list(values, root("tags").key(tag).text) for tag, values in members.items()}


def _list(value: object, at: str) -> tuple[str, ...]:
    found: list[str] = []
    try:
        for item in read_array(value):
            found.append(read_string(item))  # noqa: PERF401 (how many there are is the place)
    except ParseError as error:
        step = f"[{len(found)}]" if isinstance(value, list) else ""
        raise error.below(f"{at}{step}") from None
    return tuple(found)


def _in_one_text(
    at: FieldPath, items: Sequence[str], is_list: Callable[[str], bool]
) -> list[Violation]:
    return [
        at.index(number).violation(_ONE_BY_ONE)
        for number, text in enumerate(items)
        if is_list(text) or _LIST_IN_TEXT.search(text)
    ]


def _checked(valid_for: str | None, violations: list[Violation]) -> int:
    """As `_nanoseconds`. Raises: InvalidTokenRequestError."""
    nanoseconds = _nanoseconds(valid_for, violations)
    if violations:
        raise InvalidTokenRequestError(violations)
    return nanoseconds


def _nanoseconds(valid_for: str | None, violations: list[Violation]) -> int:
    """What `valid_for` says, ten years if it is None; what is wrong with it joins `violations`."""
    nanoseconds = TEN_YEARS_NANOSECONDS
    if valid_for is not None:
        try:
            nanoseconds = parse_duration(valid_for)
        except DurationError as error:
            violations.append(Violation("validFor", f"is invalid: {error}"))
        else:
            if nanoseconds <= 0:
                violations.append(Violation("validFor", NOT_POSITIVE))
    return nanoseconds
