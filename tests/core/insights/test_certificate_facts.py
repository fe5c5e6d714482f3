"""What insights say of certificates, and which services may be spoken to in TLS.

Source: docs/wire/mtls.md#identities, docs/wire/mtls.md#tls
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kong_mesh_cp.core.insights.certificate_facts import (
    REGENERATIONS_MAX,
    CertificateFacts,
    tls_ready_services,
    with_certificate,
)
from kong_mesh_cp.core.insights.proxy_subscriptions import nanoseconds
from kong_mesh_cp.core.resources.kinds.insights import (
    DataplaneInsight,
    ProxyMtls,
    Service,
    ServiceInsight,
    ServiceProxies,
    ServiceType,
)
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh, Mtls
from support.fakes.identity import NOW

FACTS = CertificateFacts(made_at=NOW, ends_at=NOW + timedelta(days=1), backend="a", trusted=("a",))
NOTHING = DataplaneInsight()


def mtls_of(insight: DataplaneInsight) -> ProxyMtls:
    assert insight.mtls is not None
    return insight.mtls


def test_an_insight_says_when_it_ends_who_signed_and_who_is_trusted() -> None:
    assert mtls_of(with_certificate(NOTHING, FACTS)) == ProxyMtls(
        certificate_expiration_time=nanoseconds(NOW + timedelta(days=1)),
        last_certificate_regeneration=nanoseconds(NOW),
        certificate_regenerations=1,
        issued_backend="a",
        supported_backends=("a",),
    )


@pytest.mark.parametrize(
    "next_one",
    [
        replace(FACTS, ends_at=FACTS.ends_at + timedelta(seconds=1)),
        replace(FACTS, backend="b"),
        replace(FACTS, trusted=("a", "b")),
    ],
)
def test_each_that_differs_counts_once(next_one: CertificateFacts) -> None:
    first = with_certificate(NOTHING, FACTS)
    assert with_certificate(first, FACTS) is first
    second = with_certificate(first, next_one)
    assert mtls_of(second).certificate_regenerations == 2
    assert with_certificate(second, next_one) is second


def test_the_count_ends_where_its_number_does() -> None:
    many = DataplaneInsight(mtls=ProxyMtls(certificate_regenerations=REGENERATIONS_MAX))
    assert mtls_of(with_certificate(many, FACTS)).certificate_regenerations == REGENERATIONS_MAX


def test_without_mtls_there_is_nothing_to_say() -> None:
    assert with_certificate(NOTHING, None) is NOTHING
    assert with_certificate(with_certificate(NOTHING, FACTS), None) == NOTHING


def service(online: int, offline: int = 0, **issued: int) -> Service:
    proxies = ServiceProxies(total=online + offline, online=online, offline=offline)
    return Service(dataplanes=proxies, issued_backends=issued)


MESH = Mesh(
    mtls=Mtls(
        enabled_backend="a",
        backends=(CertificateAuthority(name="a"), CertificateAuthority(name="b")),
    )
)


@pytest.mark.parametrize(
    ("of", "ready"),
    [
        (service(2, a=2), True),
        (service(2, a=1), False),
        (service(1, offline=1, a=1), False),
        (service(1, offline=1, a=2), True),
        (service(2, a=1, b=1), True),
        (service(2, a=1, gone=1), False),
        (Service(), True),
        (replace(service(1), service_type=ServiceType.external), True),
    ],
)
def test_a_service_is_ready_when_all_its_proxies_have_a_certificate_of_the_mesh(
    of: Service, *, ready: bool
) -> None:
    found = tls_ready_services(ServiceInsight(services={"web": of}), MESH)
    assert found == ({"web"} if ready else frozenset())


def test_without_an_insight_no_service_is_ready() -> None:
    assert tls_ready_services(None, MESH) == frozenset()
