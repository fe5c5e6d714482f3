"""Which policy of the older generation counts, where several select the same (Kuma 2.10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.legacy.selectors import (
    LegacyPolicy,
    Rank,
    legacy_policy,
    policies_for_inbound,
    policy_for_inbound,
    policy_for_proxy,
    policy_for_service,
    rank,
    routed_services,
)
from kong_mesh_cp.core.policy.rules.subsets import Tags
from kong_mesh_cp.core.resources.kinds.legacy.traffic_permission import TrafficPermission
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.legacy.traffic_trace import TrafficTrace
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import read_message

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANY = {"kuma.io/service": "*"}
WEB = {"kuma.io/service": "web"}
WEB_V1 = {**WEB, "version": "v1"}
WEB_ANY = {**WEB, "version": "*"}


def _policy(
    name: str,
    *,
    sources: tuple[Tags, ...] = (ANY,),
    destinations: tuple[Tags, ...] = (ANY,),
    selectors: tuple[Tags, ...] = (),
    age: int = 0,
) -> LegacyPolicy:
    made = AT - timedelta(days=age)
    return LegacyPolicy("Timeout", name, made, sources, destinations, selectors)


def _name(policy: LegacyPolicy | None) -> str | None:
    return policy.name if policy else None


def test_more_tags_beat_fewer_and_then_exact_values_beat_any() -> None:
    assert rank({}) < rank(ANY) < rank(WEB) < rank({**ANY, "version": "*"}) < rank(WEB_ANY)
    assert rank(WEB_ANY) < rank(WEB_V1) == Rank(2, 2)


@pytest.mark.parametrize(
    ("others", "tags", "name"),
    [
        ([ANY], WEB, "p0"),
        ([ANY, WEB], WEB, "p1"),
        ([WEB, ANY], WEB, "p0"),
        ([WEB, WEB_ANY], WEB_V1, "p1"),
        ([WEB_ANY, WEB_V1], WEB_V1, "p1"),
        ([WEB, WEB_V1], WEB, "p0"),
        ([{"kuma.io/service": "api"}], WEB, None),
        ([], WEB, None),
    ],
)
def test_an_inbound_has_the_policy_with_the_most_specific_destination(
    others: list[Tags], tags: Tags, name: str | None
) -> None:
    policies = [_policy(f"p{index}", destinations=(each,)) for index, each in enumerate(others)]
    assert _name(policy_for_inbound(policies, tags)) == name


def test_among_equals_the_policy_made_last_counts_and_then_the_first_name() -> None:
    old, new = _policy("a", age=2), _policy("b", age=1)
    assert policy_for_inbound([new, old], WEB) == new
    same = [_policy("b"), _policy("a")]
    assert _name(policy_for_inbound(same, WEB)) == "a"


def test_an_outbound_has_the_policy_whose_source_and_destination_fit_best_together() -> None:
    by_source = _policy("source", sources=(WEB_V1,), destinations=(ANY,))
    by_destination = _policy(
        "destination", sources=(ANY,), destinations=({"kuma.io/service": "db"},)
    )
    both = [by_source, by_destination]
    assert _name(policy_for_service(both, [WEB_V1], "db")) == "source"
    assert _name(policy_for_service(both, [WEB], "db")) == "destination"
    assert _name(policy_for_service(both, [WEB], "mail")) is None


def test_of_several_sources_the_best_that_fits_is_taken() -> None:
    mixed = _policy("mixed", sources=(ANY, WEB_V1, {"kuma.io/service": "api"}))
    plain = _policy("plain", sources=(WEB,))
    assert _name(policy_for_service([mixed, plain], [WEB_V1], "db")) == "mixed"
    assert _name(policy_for_service([mixed, plain], [WEB], "db")) == "plain"


def test_a_proxy_is_selected_by_any_of_its_inbounds() -> None:
    policy = _policy("p", selectors=(WEB_V1,))
    assert policy_for_proxy([policy], [{"kuma.io/service": "api"}, WEB_V1]) == policy
    assert policy_for_proxy([policy], [WEB]) is None


@pytest.mark.parametrize("selectors", [(), ({},)])
def test_a_policy_without_tags_is_for_every_proxy_but_counts_last(
    selectors: tuple[Tags, ...],
) -> None:
    everybody, close = _policy("e", selectors=selectors), _policy("c", selectors=(ANY,), age=5)
    assert policy_for_proxy([everybody], []) == everybody
    assert policy_for_proxy([everybody, close], [WEB]) == close


def test_all_rate_limits_of_an_inbound_count_the_closest_source_first() -> None:
    wide = _policy("wide", sources=(ANY,))
    close = _policy("close", sources=(ANY, WEB_V1))
    other = _policy("other", destinations=({"kuma.io/service": "api"},))
    assert policies_for_inbound([wide, close, other], WEB) == (close, wide)


SETS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "*"]), min_size=1)
TAGS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]))


@given(
    selectors=st.lists(st.lists(SETS, min_size=1, max_size=2), max_size=4),
    tags=TAGS,
    data=st.data(),
)
def test_the_order_in_which_policies_are_listed_does_not_matter(
    selectors: list[list[dict[str, str]]], tags: dict[str, str], data: st.DataObject
) -> None:
    policies = [
        _policy(f"p{index}", destinations=tuple(each), selectors=tuple(each), age=index // 2)
        for index, each in enumerate(selectors)
    ]
    other = data.draw(st.permutations(policies))
    assert policy_for_inbound(other, tags) == policy_for_inbound(policies, tags)
    assert policy_for_proxy(other, [tags]) == policy_for_proxy(policies, [tags])
    found = policies_for_inbound(other, tags)
    assert found == policies_for_inbound(policies, tags)
    best = policy_for_inbound(policies, tags)
    assert (best in found) == (best is not None)


def test_selectors_of_resources_are_read_by_their_kind() -> None:
    permission = TrafficPermission(sources=(Selector(WEB),), destinations=(Selector(ANY),))
    read = legacy_policy(_resource("TrafficPermission", permission))
    assert read is not None
    assert (read.sources, read.destinations, read.selectors) == ((WEB,), (ANY,), ())
    trace = legacy_policy(_resource("TrafficTrace", TrafficTrace(selectors=(Selector(WEB),))))
    assert trace is not None
    assert trace.selectors == (WEB,)
    assert legacy_policy(_resource("MeshGateway", MeshGateway())) is None


def _resource(type_name: str, spec: object) -> Resource[object]:
    return Resource(
        type=type_name,
        mesh="m",
        name="r",
        labels={},
        spec=spec,
        created_at=AT,
        modified_at=AT,
        version=1,
    )


def test_a_route_leads_to_all_its_destinations_and_any_is_the_service_itself() -> None:
    route = read_message(
        TrafficRoute,
        {
            "conf": {
                "split": [
                    {"weight": 1, "destination": {"kuma.io/service": "db", "version": "1"}},
                    {"weight": 1, "destination": {"kuma.io/service": "*"}},
                ],
                "http": [
                    {"destination": {"kuma.io/service": "db-http"}},
                    {"split": [{"destination": {"kuma.io/service": "db"}}, {"destination": {}}]},
                ],
            }
        },
    )
    assert routed_services(route, "mail") == ("db", "mail", "db-http")
    assert routed_services(TrafficRoute(), "mail") == ()
