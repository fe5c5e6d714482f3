"""AccessAudit: of which accesses Kong Mesh writes audit lines.

Source: docs/wire/tokens.md#audits
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import proto_kind
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.core.schema.violations import Violation, root

NO_EFFECT: Final = (
    "AccessAudit is stored and has no effect: every change of rights and each refusal is logged"
    " with or without it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRule(Message):
    """Accesses that are written down; empty lists mean all types, and no access."""

    types: tuple[str, ...] = ()
    mesh: str = ""
    access: tuple[str, ...] = ()
    access_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessAudit(Message):
    """Rules; one of them is enough."""

    rules: tuple[AuditRule, ...] = ()


def _violations(audit: AccessAudit) -> list[Violation]:
    return [
        root("rules").index(number).field("access").violation("must be empty with accessAll")
        for number, rule in enumerate(audit.rules)
        if rule.access and rule.access_all
    ]


KIND: Final = proto_kind("AccessAudit", AccessAudit, _violations, lambda _audit: (NO_EFFECT,))
