"""What counts of a proxy, and when it is online (docs/wire/insights.md#proxy-status)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.insights.facts import (
    NEVER_SEEN,
    ExternalFacts,
    InsightFacts,
    ObservedProxy,
    Offer,
    ProxyRole,
    ProxyStatus,
    dataplane_facts,
    external_facts,
    insight_facts,
    proxy_status,
)
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight, ServiceType
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.schema.messages import read_message

OPEN = {"id": "1", "connectTime": "2026-01-01T00:00:00Z"}
ENDED = {**OPEN, "disconnectTime": "2026-01-01T01:00:00Z"}
READY = {"port": 80, "tags": {"kuma.io/service": "web", "kuma.io/zone": "east"}}
NOT_READY = {**READY, "state": "NotReady"}
UNHEALTHY = {**READY, "health": {}}
IGNORED = {"port": 90, "tags": {"kuma.io/service": "hidden"}, "state": "Ignored"}
EDGE = {"tags": {"kuma.io/service": "edge"}}


def _proxy(*inbounds: object, gateway: object = None) -> Dataplane:
    networking = {"inbound": list(inbounds), **({"gateway": gateway} if gateway else {})}
    return read_message(Dataplane, {"networking": networking})


def _insight(*subscriptions: object, **members: object) -> DataplaneInsight:
    return read_message(DataplaneInsight, {"subscriptions": list(subscriptions), **members})


@pytest.mark.parametrize(
    ("inbounds", "subscriptions", "status"),
    [
        ([READY], [], ProxyStatus.OFFLINE),
        ([READY], [ENDED], ProxyStatus.OFFLINE),
        ([READY], [{"id": "without a beginning"}], ProxyStatus.OFFLINE),
        ([READY], [OPEN], ProxyStatus.ONLINE),
        ([READY], [ENDED, OPEN], ProxyStatus.ONLINE),
        ([READY], [OPEN, ENDED], ProxyStatus.ONLINE),
        ([READY, NOT_READY], [OPEN], ProxyStatus.PARTIALLY_DEGRADED),
        ([READY, UNHEALTHY], [OPEN], ProxyStatus.PARTIALLY_DEGRADED),
        ([READY, NOT_READY], [ENDED], ProxyStatus.OFFLINE),
        ([NOT_READY], [OPEN], ProxyStatus.OFFLINE),
        ([UNHEALTHY, NOT_READY], [OPEN], ProxyStatus.OFFLINE),
        ([READY, IGNORED], [OPEN], ProxyStatus.ONLINE),
        ([NOT_READY, IGNORED], [OPEN], ProxyStatus.OFFLINE),
        ([], [OPEN], ProxyStatus.ONLINE),
    ],
)
def test_a_proxy_is_online_when_it_is_connected_and_its_inbounds_are_ready(
    inbounds: list[object], subscriptions: list[object], status: ProxyStatus
) -> None:
    facts = dataplane_facts(_proxy(*inbounds)), insight_facts(_insight(*subscriptions))
    assert proxy_status(*facts) is status


@pytest.mark.parametrize("kind", ["BUILTIN", "DELEGATED"])
def test_a_gateway_does_not_wait_for_inbounds(kind: str) -> None:
    facts = dataplane_facts(_proxy(NOT_READY, gateway={**EDGE, "type": kind}))
    assert proxy_status(facts, insight_facts(_insight(OPEN))) is ProxyStatus.ONLINE
    assert proxy_status(facts, NEVER_SEEN) is ProxyStatus.OFFLINE


def test_a_proxy_offers_the_services_of_its_inbounds_but_those_it_ignores() -> None:
    facts = dataplane_facts(_proxy(READY, IGNORED))
    assert facts.role is ProxyRole.STANDARD
    assert facts.offers == (Offer("web", "east", ServiceType.internal),)


def test_a_gateway_offers_its_own_service_first() -> None:
    facts = dataplane_facts(_proxy(READY, gateway={**EDGE, "type": "BUILTIN"}))
    assert facts.role is ProxyRole.GATEWAY_BUILTIN
    assert facts.offers[0] == Offer("edge", "", ServiceType.gateway_builtin)
    delegated = dataplane_facts(_proxy(gateway=EDGE))
    assert delegated.role is ProxyRole.GATEWAY_DELEGATED
    assert delegated.offers == (Offer("edge", "", ServiceType.gateway_delegated),)


def test_the_versions_are_those_of_the_last_connection() -> None:
    old = {**ENDED, "version": {"kumaDp": {"version": "2.9.0"}, "envoy": {"version": "1.30.0"}}}
    new = {**ENDED, "version": {"kumaDp": {"version": "2.10.11"}}}
    mtls = {"issuedBackend": "ca-1", "supportedBackends": ["ca-1", "ca-2"]}
    assert insight_facts(_insight(old, new, mTLS=mtls)) == InsightFacts(
        online=False,
        kuma_dp="2.10.11",
        envoy="unknown",
        issued_backend="ca-1",
        supported_backends=("ca-1", "ca-2"),
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"mTLS": {}},
        {"subscriptions": []},
        {"subscriptions": [{**ENDED, "version": {"envoy": {"version": "1.30.0"}}}, OPEN]},
        {"subscriptions": [{"connect_time": "2026-01-01T00:00:00Z", "generation": 7}]},
        {"subscriptions": [{**OPEN, "disconnect_time": "2026-01-01T01:00:00Z"}]},
        {
            "subscriptions": [
                {
                    **OPEN,
                    "status": {"total": {"responsesSent": "4"}, "cds": {}},
                    "version": {"kumaDp": {"version": "2.10.11"}, "dependencies": {"a": "1"}},
                }
            ],
            "mTLS": {"issuedBackend": "ca-1", "certificateRegenerations": 3},
        },
    ],
)
def test_what_counts_of_an_insight_is_the_same_without_its_counts(document: object) -> None:
    observed = read_message(ObservedProxy, document)
    assert insight_facts(observed) == insight_facts(read_message(DataplaneInsight, document))


def test_a_certificate_without_a_backend_counts_for_an_unknown_one() -> None:
    assert insight_facts(_insight(mTLS={})).issued_backend == "unknown"
    assert insight_facts(_insight()) == NEVER_SEEN


def test_a_dataplane_without_networking_offers_nothing() -> None:
    assert dataplane_facts(Dataplane()).offers == ()


def test_an_external_service_is_known_by_its_address() -> None:
    service = read_message(
        ExternalService,
        {"tags": {"kuma.io/service": "mail"}, "networking": {"address": "mail.example:25"}},
    )
    facts = ExternalFacts(Offer("mail", "", ServiceType.external), "mail.example:25")
    assert external_facts(service) == facts
    assert external_facts(ExternalService()).address == ""
