"""Headers, as several policies match and change them."""

from __future__ import annotations

from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.record_terms import OMIT_EMPTY, Length, OneOf, Pattern

# The bound of the Gateway API, from which these types are taken.
HEADERS_MAX: Final = 16

# Lower case only, as in HTTP/2: Envoy compares names in that form.
HeaderName = Annotated[str, Length(1, 256), Pattern(r"^[a-z0-9!#$%&'*+\-.^_\x60|~]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValue:
    """A header that is written."""

    name: HeaderName
    value: str


HeaderValues = Annotated[tuple[HeaderValue, ...], Length(maximum=HEADERS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderChanges:
    """Headers that are replaced, and such that are added to what is there."""

    set: HeaderValues | None = None
    add: HeaderValues | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatch:
    """A condition on one header of a request."""

    type: Annotated[str, OneOf(("Exact", "Present", "RegularExpression", "Absent", "Prefix"))] = (
        "Exact"
    )
    name: HeaderName
    # Not for Present and Absent, which do not compare.
    value: Annotated[str, OMIT_EMPTY] = ""
