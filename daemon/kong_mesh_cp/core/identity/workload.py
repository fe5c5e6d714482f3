"""What the certificate of a proxy says: whom it names, how long it lasts, when the next is due.

Pure, and without x509: the authority signs it in `core/identity/ca`.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.expirations import expiration_of
from kong_mesh_cp.core.meshes.spiffe import service_id, tag_id
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority
from kong_mesh_cp.core.resources.tags import SERVICE, Tags, values_by_tag

LIFETIME: Final = timedelta(hours=24)  # unless the mesh says otherwise
LIFETIME_MIN: Final = timedelta(seconds=5)  # less would be over before it is everywhere
LIFETIME_MAX: Final = timedelta(days=365 * 100)  # more cannot be counted with everywhere
SKEW: Final = timedelta(seconds=10)  # clocks of proxies may be this far behind
RENEWED_AT: Final = 0.8  # of its lifetime


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate to be signed. `uris` in their order; the times are aware, in UTC, and whole."""

    uris: tuple[str, ...]
    begins: datetime
    ends: datetime


def uris_of(mesh: str, tag_sets: Iterable[Tags]) -> tuple[str, ...]:
    """The names of a proxy with these tags: its services in the mesh first, then all its tags.

    A proxy has one certificate, however many services it offers; both are sorted.
    """
    tags = values_by_tag(tag_sets)
    return (
        *(service_id(mesh, value) for value in tags.get(SERVICE, ())),
        *(tag_id(tag, value) for tag, values in tags.items() for value in values),
    )


def lifetime_of(backend: CertificateAuthority) -> timedelta:
    """How long `backend` wants the certificates of proxies to last."""
    rotation = None if backend.dp_cert is None else backend.dp_cert.rotation
    asked = None if rotation is None else expiration_of(rotation.expiration)
    return LIFETIME if asked is None else min(max(asked, LIFETIME_MIN), LIFETIME_MAX)


def leaf(uris: tuple[str, ...], lifetime: timedelta, now: datetime) -> Leaf:
    """Certificates know whole seconds only."""
    whole = now.replace(microsecond=0)
    return Leaf(uris, whole - SKEW, whole + lifetime)


def renewal_at(made: datetime, ends: datetime) -> datetime:
    """When the successor of a certificate is due."""
    return made + (ends - made) * RENEWED_AT
