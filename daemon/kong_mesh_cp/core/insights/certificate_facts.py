"""What the insight of a proxy says of its certificate.

Source: docs/wire/dataplanes.md#connections
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.insights.proxy_subscriptions import nanoseconds
from kong_mesh_cp.core.resources.kinds.insights import (
    DataplaneInsight,
    ProxyMtls,
    Service,
    ServiceInsight,
    ServiceProxies,
    ServiceType,
)
from kong_mesh_cp.core.resources.kinds.mesh import Mesh

REGENERATIONS_MAX: Final = 2**32 - 1  # what the message can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """The certificate that a proxy has taken, and the backends whose certificates it trusts.

    The times are aware, in UTC.
    """

    made_at: datetime
    ends_at: datetime
    backend: str
    trusted: tuple[str, ...]


def with_certificate(insight: DataplaneInsight, facts: CertificateFacts | None) -> DataplaneInsight:
    """`insight` with what is to be said of `facts`; None: the mesh has no mTLS.

    The same insight where it says that already. Each certificate counts once: one with another end,
    another authority or another company of trusted ones.
    """
    if facts is None:
        return insight if insight.mtls is None else replace(insight, mtls=None)
    told = insight.mtls or ProxyMtls()
    ends = nanoseconds(facts.ends_at)
    if (told.certificate_expiration_time, told.issued_backend, told.supported_backends) == (
        ends,
        facts.backend,
        facts.trusted,
    ):
        return insight
    mtls = ProxyMtls(
        certificate_expiration_time=ends,
        last_certificate_regeneration=nanoseconds(facts.made_at),
        certificate_regenerations=min(told.certificate_regenerations + 1, REGENERATIONS_MAX),
        issued_backend=facts.backend,
        supported_backends=facts.trusted,
    )
    return replace(insight, mtls=mtls)


def tls_ready_services(insight: ServiceInsight | None, mesh: Mesh) -> frozenset[str]:
    """The services by tag that clients in `mesh` may speak the mesh's TLS to.

    Asked for where a mesh is PERMISSIVE: there a service is ready when all its proxies have a
    certificate, of whichever authority while that is being replaced.
    """
    backends = () if mesh.mtls is None else mesh.mtls.backends
    names = {each.name for each in backends}
    services = {} if insight is None else insight.services
    return frozenset(name for name, service in services.items() if _is_ready(service, names))


def _is_ready(service: Service, backends: set[str]) -> bool:
    if service.service_type is ServiceType.external:
        return True
    proxies = service.dataplanes or ServiceProxies()
    issued = sum(number for name, number in service.issued_backends.items() if name in backends)
    return issued == proxies.online + proxies.offline
