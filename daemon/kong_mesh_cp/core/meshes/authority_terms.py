"""How long the authorities of meshes last, and what is said before one ends."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.term import WARNING_TERM, days_left, instant
from kong_mesh_cp.core.meshes.authority_conf import ProvidedConf, readable_conf
from kong_mesh_cp.core.meshes.mesh_defaults import BUILTIN_CA
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority

LINES_MAX: Final = 20  # of one look: hundreds of meshes may have been made on the same day


@dataclass(frozen=True, slots=True)
class AuthorityTerm:
    """When an authority ends (aware, UTC), and how it is renewed."""

    ends_at: datetime
    remedy: str


def is_ending(term: AuthorityTerm, now: datetime) -> bool:
    """Whether it ends within the time in which it is warned of, or has ended."""
    return term.ends_at - now < WARNING_TERM


def sentence(term: AuthorityTerm, now: datetime) -> str:
    """`ends in 3 days, at …`, or `ended at …`, and what follows from it."""
    at = instant(term.ends_at)
    if now >= term.ends_at:
        return f"ended at {at}: proxies refuse each other's certificates"
    days = days_left(term.ends_at, now)
    left = "in less than a day" if days == 0 else "in 1 day" if days == 1 else f"in {days} days"
    return f"ends {left}, at {at}: from then on proxies refuse each other's certificates"


def renewal(backend: CertificateAuthority) -> str:
    """How the authority of `backend` is replaced by one that lasts longer."""
    if backend.type == BUILTIN_CA:
        return "Give the mesh another one while it is in use: kumactl rotate ca."
    conf = readable_conf(ProvidedConf, backend)
    sources = [each for each in (conf.cert, conf.key) if each is not None]
    names = [each.secret or each.file or "the mesh itself" for each in sources]
    return f"Put a new certificate and key where they come from: {', '.join(dict.fromkeys(names))}."
