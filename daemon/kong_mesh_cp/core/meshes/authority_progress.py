"""How far a mesh is with a new authority: whom it waits for.

Trust comes first and goes last: an authority signs only when every proxy trusts it, and is dropped
only when no proxy shows a certificate of it. What proxies trust and show is in their insights, so
every control plane knows it, and a restart forgets nothing.

Source: docs/wire/mtls.md#a-new-authority
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.mesh_rules import CA_BACKENDS_MEANWHILE_MAX
from kong_mesh_cp.core.schema.violations import Violation, root

NAMES_SHOWN_MAX: Final = 5  # of proxies that are waited for


@dataclass(frozen=True, slots=True)
class ProxyTrust:
    """A connected proxy that has a certificate: who signed it, and whom the proxy trusts."""

    name: str
    issued: str
    trusted: tuple[str, ...]


def names(mesh: Mesh) -> tuple[str, ...]:
    """Its authorities."""
    return () if mesh.mtls is None else tuple(each.name for each in mesh.mtls.backends)


def trust_of(name: str, insight: DataplaneInsight) -> ProxyTrust | None:
    """None for a proxy that nobody has to wait for: the next certificates it gets fit."""
    mtls = insight.mtls
    if mtls is None or not insight.is_online:
        return None
    return ProxyTrust(name, mtls.issued_backend, mtls.supported_backends)


def waits(before: Mesh, after: Mesh) -> bool:
    """Whether the change is one that depends on how far proxies are."""
    if len(names(before)) < CA_BACKENDS_MEANWHILE_MAX:
        return False  # there is one alone, and no way from it to another but by way of both
    return bool(_taking_over(before, after) or _leaving(before, after))


def violations(before: Mesh, after: Mesh, proxies: Iterable[ProxyTrust]) -> list[Violation]:
    """Why `after` has to wait, with some of the proxies that it has to wait for."""
    if not waits(before, after):
        return []
    known = sorted(proxies, key=lambda each: each.name)
    found: list[Violation] = []
    for backend in _taking_over(before, after):
        behind = [each.name for each in known if backend not in each.trusted]
        if behind:
            reason = (
                f"{_some(behind, len(known))} do not trust {go_quote(backend)} yet. They are told:"
                " write this again when they do (kumactl rotate ca waits for it)"
            )
            found.append(root("mtls").field("enabledBackend").violation(reason))
    for backend in _leaving(before, after):
        behind = [each.name for each in known if each.issued == backend]
        if behind:
            reason = (
                f"{_some(behind, len(known))} still show certificates of {go_quote(backend)}. They"
                " get others: write this again when they have (kumactl rotate ca waits for it)"
            )
            found.append(root("mtls").field("backends").violation(reason))
    return found


def _taking_over(before: Mesh, after: Mesh) -> list[str]:
    """The authority that begins to sign in place of another one."""
    old, new = before.enabled_ca, after.enabled_ca
    if old is None or new is None or old.name == new.name or _unjudged(after):
        return []
    return [new.name]


def _leaving(before: Mesh, after: Mesh) -> list[str]:
    """The authorities that are trusted no longer, while there is mTLS."""
    if before.enabled_ca is None or after.enabled_ca is None or _unjudged(after):
        return []
    return [each for each in names(before) if each not in names(after)]


def _unjudged(mesh: Mesh) -> bool:
    """It is said not to look, as when a key has leaked and nobody may wait."""
    return mesh.mtls is not None and mesh.mtls.skip_validation


def _some(behind: Sequence[str], total: int) -> str:
    shown = ", ".join(behind[:NAMES_SHOWN_MAX])
    if len(behind) > NAMES_SHOWN_MAX:
        shown += ", …"
    return f"{len(behind)} of {total} connected proxies ({shown})"
