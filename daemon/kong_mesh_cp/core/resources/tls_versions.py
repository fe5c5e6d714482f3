"""TlsVersion: a range of TLS versions, and its check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.record_terms import OneOf
from kong_mesh_cp.core.schema.value_checks import must_be_one_of
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

# In ascending order, which the comparison below relies on.
VERSIONS: Final = ("TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsVersion:
    """`TLSAuto` leaves an end of the range to Envoy."""

    min: Annotated[str, OneOf(VERSIONS)] = "TLSAuto"
    max: Annotated[str, OneOf(VERSIONS)] = "TLSAuto"


def version_violations(version: TlsVersion, at: FieldPath) -> Iterator[Violation]:
    known = True
    for name, value in (("min", version.min), ("max", version.max)):
        if value not in VERSIONS:
            known = False
            yield at.field(name).violation(must_be_one_of(name, VERSIONS))
    # An open end is as wide as it can be.
    # An unknown version has been reported, and cannot be compared.
    if not known or "TLSAuto" in {version.min, version.max}:
        return
    if VERSIONS.index(version.min) > VERSIONS.index(version.max):
        yield at.field("min").violation("min version must be lower than max")
