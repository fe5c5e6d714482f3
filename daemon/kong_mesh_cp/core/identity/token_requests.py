"""The bodies of `POST /tokens/…`: what is read, and what must be in them.

Source: docs/wire/tokens.md#issuing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Self, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.durations import DurationError, parse_duration
from kong_mesh_cp.core.formats.go_values import (
    JsonObject,
    ParseError,
    read_array,
    read_object,
    read_string,
)
from kong_mesh_cp.core.identity.refusals import InvalidTokenRequestError, UndecodableRequestError
from kong_mesh_cp.core.identity.tokens import TEN_YEARS_NANOSECONDS
from kong_mesh_cp.core.schema.violations import Violation

REQUEST_BYTES_MAX: Final = 11 * 1024  # so that what it asks for fits into a token
CANNOT_BE_EMPTY: Final = "cannot be empty"
NOT_POSITIVE: Final = "cannot be empty or nil"
CONTROL_PLANE_SCOPE: Final = "cp"

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
        return _decoded(
            body,
            lambda document: cls(
                name=read_string(document.get("name")),
                mesh=read_string(document.get("mesh")),
                tags={
                    tag: _texts(values) for tag, values in read_object(document.get("tags")).items()
                },
                type=read_string(document.get("type")),
                valid_for=read_string(document.get("validFor")),
            ),
        )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        violations = []
        if not self.mesh:
            violations.append(Violation("mesh", CANNOT_BE_EMPTY))
        if self.type not in _PROXY_TYPES:
            violations.append(Violation("type", f"{self.type} is not a valid proxy type"))
        return _checked(self.valid_for or None, violations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTokenRequest:
    """A token for the zone proxies of a zone, or for its control plane."""

    zone: str
    scope: tuple[str, ...] | None
    valid_for: str

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Raises: UndecodableRequestError."""
        return _decoded(
            body,
            lambda document: cls(
                zone=read_string(document.get("zone")),
                scope=None if document.get("scope") is None else _texts(document["scope"]),
                valid_for=read_string(document.get("validFor")),
            ),
        )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        # An empty list would make a token that is good for nothing.
        violations = [] if self.scope else [Violation("scope", CANNOT_BE_EMPTY)]
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
        return _decoded(
            body,
            lambda document: cls(
                name=read_string(document.get("name")),
                groups=_texts(document.get("groups")),
                valid_for=read_string(document.get("validFor")),
            ),
        )

    def checked(self) -> int:
        """For how many nanoseconds it shall be valid. Raises: InvalidTokenRequestError."""
        violations = [] if self.name else [Violation("name", CANNOT_BE_EMPTY)]
        if not self.valid_for:
            violations.append(Violation("validFor", CANNOT_BE_EMPTY))
            raise InvalidTokenRequestError(violations)
        return _checked(self.valid_for, violations)


R = TypeVar("R")


def _decoded(body: bytes, read: Callable[[JsonObject], R]) -> R:
    if len(body) > REQUEST_BYTES_MAX:
        raise UndecodableRequestError(f"it is larger than {REQUEST_BYTES_MAX} bytes")
    try:
        return read(read_object(strict_json.parse(body)))
    except strict_json.StrictJsonError as error:
        raise UndecodableRequestError(error.message) from None
    except ParseError as error:
        raise UndecodableRequestError(error.reason) from None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(read_string(item) for item in read_array(value))


def _checked(valid_for: str | None, violations: list[Violation]) -> int:
    nanoseconds = TEN_YEARS_NANOSECONDS
    if valid_for is not None:
        try:
            nanoseconds = parse_duration(valid_for)
        except DurationError as error:
            violations.append(Violation("validFor", f"is invalid: {error}"))
        else:
            if nanoseconds <= 0:
                violations.append(Violation("validFor", NOT_POSITIVE))
    if violations:
        raise InvalidTokenRequestError(violations)
    return nanoseconds
