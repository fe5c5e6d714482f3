"""The outcomes of an admission: admitted, admitted with a warning, or refused."""

from __future__ import annotations

from enum import StrEnum

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.meshes.membership import Breach
from kong_mesh_cp.core.schema.violations import Violation


class RefusalCode(StrEnum):
    """Why a request on the admission socket is refused. Clients match on these; none is renamed."""

    MALFORMED_REQUEST = "malformed-request"
    INVALID_DATAPLANE = "invalid-dataplane"
    LICENSE_LIMIT = "license-limit"
    MESH_CONSTRAINT = "mesh-constraint"
    MESH_QUOTA = "mesh-quota"
    IDENTITY = "identity"
    GLOBAL_CONTROL_PLANE = "global-control-plane"
    MESH_NOT_FOUND = "mesh-not-found"
    ALREADY_JOINED = "already-joined"
    DATAPLANE_MISMATCH = "dataplane-mismatch"
    DATAPLANE_STORED = "dataplane-stored"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class SelectorReport:
    """One selector of one rule, held against the peer."""

    selector: str  # unit, user, group, uid, gid, mesh or name
    wanted: str
    found: str
    matched: bool


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One rule, selector by selector. `rule` is its place in the configuration, from 1."""

    rule: int
    selectors: tuple[SelectorReport, ...]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The seat may be taken, within the license's number or without being counted."""


@dataclass(frozen=True, slots=True)
class AdmittedOverLimit:
    """The seat may be taken, though more are then in use than the license allows."""

    seats_over: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No. `reason` says why, `hint` what to do; the rest is evidence for some of the codes."""

    code: RefusalCode
    reason: str
    hint: str
    retry_after_seconds: int | None = None  # set where waiting helps
    violations: tuple[Violation, ...] = ()
    rules: tuple[RuleReport, ...] = ()
    meshes: tuple[str, ...] = ()
    breach: Breach | None = None

    @property
    def text(self) -> str:
        """All of it in one line, for those who get no more than that."""
        return f"{self.code}: {self.reason}. {self.hint}"


Decision = Admitted | AdmittedOverLimit | Refused

# As in Kuma, where proxies join the control plane of their zone and never the global one.
NO_PROXIES_JOIN_GLOBAL = Refused(
    code=RefusalCode.GLOBAL_CONTROL_PLANE,
    reason="this is a global control plane, which no data plane proxy joins",
    hint="Ask the control plane of the proxy's zone, or start this one with KUMA_MODE=zone.",
)
