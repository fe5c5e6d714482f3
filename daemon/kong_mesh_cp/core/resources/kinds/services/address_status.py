"""Parts of the statuses of services: addresses, virtual IPs, conditions."""

from __future__ import annotations

from typing import Annotated

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.record_terms import OMIT_EMPTY, Length, OneOf, Pattern

OptionalText = Annotated[str, OMIT_EMPTY]

# The patterns and lengths are those of Kubernetes' metav1.Condition, from which the type is taken.
_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
_TYPE = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorRef:
    """The HostnameGenerator that made a name."""

    core_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A hostname that a service is known by, and who made it."""

    hostname: OptionalText = ""
    origin: OptionalText = ""
    # Absent for a name that no generator has made.
    hostname_generator_ref: GeneratorRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition in the form of Kubernetes: its type, whether it holds, and why."""

    type: Annotated[str, Length(maximum=316), Pattern(_TYPE)]
    status: Annotated[str, OneOf(("True", "False", "Unknown"))]
    reason: Annotated[str, Length(1, 1024), Pattern(_REASON)]
    message: Annotated[str, Length(maximum=32768)]


Conditions = Annotated[tuple[Condition, ...], OMIT_EMPTY]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorStatus:
    """What a HostnameGenerator did for a service, as conditions."""

    hostname_generator_ref: GeneratorRef
    conditions: Conditions = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vip:
    """A virtual address of a service, within a zone."""

    # Out of ranges that Kuma reserves for each kind of service (241.0.0.0/8 for a MeshService), so
    # that no real host has it.
    ip: OptionalText = ""


Addresses = Annotated[tuple[Address, ...], OMIT_EMPTY]
GeneratorStatuses = Annotated[tuple[GeneratorStatus, ...], OMIT_EMPTY]
Vips = Annotated[tuple[Vip, ...], OMIT_EMPTY]
