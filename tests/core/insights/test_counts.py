"""How proxies and services are counted into MeshInsight and ServiceInsight.

Source: docs/wire/insights.md#meshinsight, docs/wire/insights.md#serviceinsight
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.insights.counts import COUNTED_TYPES, Counts
from kong_mesh_cp.core.insights.facts import (
    NEVER_SEEN,
    DataplaneFacts,
    ExternalFacts,
    InsightFacts,
    Offer,
    ProxyRole,
)
from kong_mesh_cp.core.resources.kinds.insights import MeshInsight, ProxyCount, ServiceType
from kong_mesh_cp.core.schema.messages import read_message, write_message

Group = tuple[DataplaneFacts, InsightFacts, int]

WEB = Offer("web", "east", ServiceType.internal)
SIDECAR = DataplaneFacts(ProxyRole.STANDARD, inbounds=2, ready=2, offers=(WEB,))
DEGRADED = SIDECAR._replace(ready=1)
EDGE = DataplaneFacts(
    ProxyRole.GATEWAY_BUILTIN, 0, 0, (Offer("edge", "", ServiceType.gateway_builtin),)
)
KONG = DataplaneFacts(
    ProxyRole.GATEWAY_DELEGATED, 0, 0, (Offer("kong", "west", ServiceType.gateway_delegated),)
)
ONLINE = InsightFacts(
    online=True,
    kuma_dp="2.10.11",
    envoy="1.33.2",
    issued_backend="ca-1",
    supported_backends=("ca-1", "ca-2"),
)

NAMES = st.sampled_from(["a", "b", "c"])
DATAPLANES = st.builds(
    lambda role, ready, more, offers: DataplaneFacts(role, ready + more, ready, tuple(offers)),
    st.sampled_from(ProxyRole),
    st.integers(0, 2),
    st.integers(0, 2),
    st.lists(st.builds(Offer, NAMES, NAMES, st.sampled_from(ServiceType)), max_size=3),
)
INSIGHTS = st.builds(
    InsightFacts,
    online=st.booleans(),
    kuma_dp=NAMES,
    envoy=NAMES,
    issued_backend=st.none() | NAMES,
    supported_backends=st.lists(NAMES, unique=True).map(tuple),
)
GROUPS = st.lists(st.tuples(DATAPLANES, INSIGHTS, st.integers(1, 3)), max_size=6)


def _tally(groups: Sequence[Group]) -> Counts:
    tally = Counts()
    for group in groups:
        tally.add(*group)
    return tally


def _shown(*groups: Group, **totals: int) -> dict[str, object]:
    return write_message(_tally(groups).mesh_insight(totals))


def test_an_empty_mesh_has_every_part_and_no_number() -> None:
    assert _shown() == {
        "dataplanes": {},
        "dpVersions": {},
        "mTLS": {},
        "services": {},
        "dataplanesByType": {
            "standard": {},
            "gateway": {},
            "gatewayBuiltin": {},
            "gatewayDelegated": {},
        },
    }


def test_proxies_are_counted_by_status_version_backend_and_type() -> None:
    groups = (SIDECAR, ONLINE, 2), (DEGRADED, ONLINE, 1), (EDGE, NEVER_SEEN, 1), (KONG, ONLINE, 1)
    shown = _shown(*groups, Dataplane=5, ExternalService=1, MeshTimeout=2, Timeout=1, Secret=0)
    known = {"total": 4, "online": 3, "partiallyDegraded": 1}
    unknown = {"total": 1, "offline": 1}
    assert shown == {
        "dataplanes": {"total": 5, "online": 3, "offline": 1, "partiallyDegraded": 1},
        "policies": {"MeshTimeout": {"total": 2}, "Timeout": {"total": 1}},
        "dpVersions": {
            "kumaDp": {"2.10.11": known, "unknown": unknown},
            "envoy": {"1.33.2": known, "unknown": unknown},
        },
        "mTLS": {
            "issuedBackends": {"ca-1": known},
            "supportedBackends": {"ca-1": known, "ca-2": known},
        },
        "services": {"total": 4, "internal": 3, "external": 1},
        "dataplanesByType": {
            "standard": {"total": 3, "online": 2, "partiallyDegraded": 1},
            "gateway": {"total": 2, "online": 1, "offline": 1},
            "gatewayBuiltin": {"total": 1, "offline": 1},
            "gatewayDelegated": {"total": 1, "online": 1},
        },
        "resources": {
            "Dataplane": {"total": 5},
            "ExternalService": {"total": 1},
            "MeshTimeout": {"total": 2},
            "Timeout": {"total": 1},
        },
    }


def test_a_service_is_as_online_as_its_proxies() -> None:
    api = SIDECAR._replace(offers=(WEB._replace(service="api", zone="west"),))
    groups = (SIDECAR, ONLINE, 2), (DEGRADED, ONLINE, 1), (api, ONLINE, 1), (KONG, NEVER_SEEN, 1)
    mail = ExternalFacts(Offer("mail", "east", ServiceType.external), "mail.example:25")
    shadowed = ExternalFacts(Offer("web", "", ServiceType.external), "web.example:80")
    insight = _tally(groups).service_insight([mail, shadowed])
    assert write_message(insight) == {
        "services": {
            "api": {
                "status": "online",
                "dataplanes": {"online": 1},
                "issuedBackends": {"ca-1": 1},
                "zones": ["west"],
            },
            "kong": {
                "status": "offline",
                "dataplanes": {"offline": 1},
                "serviceType": "gateway_delegated",
                "zones": ["west"],
            },
            "mail": {
                "status": "not_available",
                "dataplanes": {},
                "serviceType": "external",
                "addressPort": "mail.example:25",
                "zones": ["east"],
            },
            "web": {
                "status": "partially_degraded",
                "dataplanes": {"online": 2, "offline": 1},
                "issuedBackends": {"ca-1": 3},
                "zones": ["east"],
            },
        }
    }


def test_what_is_observed_is_not_counted_as_a_resource() -> None:
    assert {"Dataplane", "Secret", "MeshService", "MeshTimeout", "Timeout"} <= set(COUNTED_TYPES)
    assert not {"DataplaneInsight", "ServiceInsight", "MeshInsight", "Zone"} & set(COUNTED_TYPES)


def _total(*counts: ProxyCount | None) -> int:
    return sum(each.total for each in counts if each is not None)


@given(groups=GROUPS)
def test_every_sum_of_a_mesh_agrees_with_its_parts(groups: list[Group]) -> None:
    insight = _tally(groups).mesh_insight({})
    proxies = sum(each for _, _, each in groups)
    kinds, versions = insight.dataplanes_by_type, insight.dp_versions
    assert kinds is not None
    assert versions is not None
    assert _total(insight.dataplanes) == proxies
    assert _total(kinds.standard, kinds.gateway) == proxies
    assert _total(kinds.gateway_builtin, kinds.gateway_delegated) == _total(kinds.gateway)
    assert _total(*versions.kuma_dp.values()) == _total(*versions.envoy.values()) == proxies
    with_certificate = sum(each for _, seen, each in groups if seen.issued_backend is not None)
    assert insight.mtls is not None
    assert _total(*insight.mtls.issued_backends.values()) == with_certificate
    for count in (insight.dataplanes, kinds.standard, kinds.gateway, *versions.envoy.values()):
        assert count is not None
        assert count.total == count.online + count.offline + count.partially_degraded


@given(groups=GROUPS, data=st.data())
def test_neither_order_nor_grouping_changes_the_insights(
    groups: list[Group], data: st.DataObject
) -> None:
    # One by one, and in another order: but the type of a service is told by who is first.
    single = [(dataplane, seen, 1) for dataplane, seen, each in groups for _ in range(each)]
    other = data.draw(st.permutations(single))
    assert _tally(other).mesh_insight({}) == _tally(groups).mesh_insight({})
    assert set(_tally(other).service_insight(()).services) == set(
        _tally(groups).service_insight(()).services
    )


@given(groups=GROUPS)
def test_every_proxy_counts_for_each_service_it_offers(groups: list[Group]) -> None:
    services = _tally(groups).service_insight(()).services.values()
    counted = sum(
        each.dataplanes.online + each.dataplanes.offline for each in services if each.dataplanes
    )
    assert counted == sum(len(dataplane.offers) * each for dataplane, _, each in groups)
    assert len(services) == (_tally(groups).mesh_insight({}).services or 0).internal  # type: ignore[union-attr]


@given(groups=GROUPS)
def test_an_insight_survives_its_json(groups: list[Group]) -> None:
    insight = _tally(groups).mesh_insight({"MeshRetry": 2})
    assert read_message(MeshInsight, write_message(insight)) == insight
