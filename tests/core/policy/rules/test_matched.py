"""All that the policies of one type say about one proxy.

Source: docs/wire/policies.md#matching, docs/wire/policies.md#merging
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.destinations import Destinations, destination_id
from kong_mesh_cp.core.policy.rules.http_matches import RULE_MATCHES_HASH_TAG, matches_hash
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import (
    MeshView,
    gateway_to_rules,
    matched_policies,
    selects_proxy,
)
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.priority import sorted_policies
from kong_mesh_cp.core.policy.rules.proxies import (
    GatewayListener,
    GatewayRole,
    HostListener,
    MeshGateway,
)
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef
from support.specs.policies import (
    DEFAULT_MESH,
    Entries,
    inbound,
    listener,
    names,
    policy,
    proxy,
    route,
    subset,
    target,
)

MESH = target("Mesh")
PROXY = proxy(inbound(80, {"app": "web"}), inbound(81, {"app": "api"}))
MATCHES = [{"path": {"value": "/", "type": "Exact"}}]


def test_each_inbound_hears_only_the_policies_that_select_it() -> None:
    wide = policy("wide", sources=[(MESH, {"a": 1})])
    narrow = policy("narrow", subset(app="web"), rules=[{"b": 2}])

    matched = matched_policies("MeshTimeout", PROXY, MeshView((narrow, wide)))

    assert names(matched.policies) == ["wide", "narrow"]
    assert matched.inbound_rules[listener(80)][0].confs == ({"a": 1, "b": 2},)
    assert matched.inbound_rules[listener(81)][0].confs == ({"a": 1},)
    assert [rule.conf for rule in matched.from_rules[listener(80)]] == [{"a": 1}]


def test_types_without_from_know_no_inbounds() -> None:
    retry = policy(of="MeshRetry", to=[(MESH, {"a": 1})])

    matched = matched_policies("MeshRetry", PROXY, MeshView((retry,)))

    assert matched.from_rules == {}
    assert matched.inbound_rules == {}
    assert [rule.conf for rule in matched.to_rules.services] == [{"a": 1}]


def test_other_types_do_not_count() -> None:
    view = MeshView((policy(of="MeshRetry", to=[(MESH, {"a": 1})]),))

    assert matched_policies("MeshTimeout", PROXY, view).policies == ()


def test_outgoing_rules_are_by_service_and_by_resource() -> None:
    view = MeshView((policy(to=[(MESH, {"a": 1})]),), destinations=Destinations([DEFAULT_MESH]))

    rules = matched_policies("MeshTimeout", PROXY, view).to_rules

    assert [rule.conf for rule in rules.services] == [{"a": 1}]
    assert rules.resources[destination_id(DEFAULT_MESH.meta)].confs == ({"a": 1},)


def test_a_shadow_policy_counts_only_where_it_is_asked_for() -> None:
    view = MeshView((policy("shadow", labels={"kuma.io/effect": "shadow"}, rules=[{"a": 1}]),))

    assert matched_policies("MeshTimeout", PROXY, view).policies == ()
    assert names(matched_policies("MeshTimeout", PROXY, view, with_shadow=True).policies) == [
        "shadow"
    ]


def test_a_policy_about_a_route_holds_for_each_of_its_rules() -> None:
    other = [{"path": {"value": "/v2", "type": "PathPrefix"}}]
    to_route = route("r", {"matches": MATCHES}, {"matches": other}, service="shop")
    about_route = policy("p", target("MeshHTTPRoute", "r"), to=[(MESH, {"a": 1})])

    rules = matched_policies("MeshTimeout", PROXY, MeshView((about_route, to_route))).to_rules

    assert [[(tag.key, tag.value) for tag in rule.subset] for rule in rules.services] == [
        [(RULE_MATCHES_HASH_TAG, matches_hash(found)), ("kuma.io/service", "shop")]
        for found in (other, MATCHES)
    ]
    assert rules.resources == {}


def test_a_route_that_is_missing_is_a_warning_and_the_rest_holds() -> None:
    lost = policy("lost", target("MeshHTTPRoute", "gone"), to=[(MESH, {"a": 1})])
    found = policy("found", to=[(MESH, {"b": 2})])

    matched = matched_policies("MeshTimeout", PROXY, MeshView((lost, found)))

    (warning,) = matched.warnings
    assert warning == (
        "unable to resolve TargetRef on policy: mesh:default name:lost "
        "error:\"couldn't resolve MeshHTTPRoute targetRef with name 'gone'\""
    )
    assert [rule.conf for rule in matched.to_rules.services] == [{"b": 2}]


def test_entries_that_split_endlessly_are_a_warning() -> None:
    sources = [(subset(**{f"t{number}": "v"}), {"action": "Allow"}) for number in range(15)]
    view = MeshView((policy(of="MeshTrafficPermission", sources=sources),))

    matched = matched_policies("MeshTrafficPermission", PROXY, view)

    assert matched.from_rules == {}
    assert matched.warnings[0].startswith("couldn't create From rules: the entries split")


def test_a_proxy_is_selected_or_not() -> None:
    assert selects_proxy(policy(about=subset(app="web")), PROXY, MeshView())
    assert not selects_proxy(policy(about=subset(app="db")), PROXY, MeshView())
    with pytest.raises(UnresolvedTargetError):
        selects_proxy(policy(about=target("MeshHTTPRoute", "gone")), PROXY, MeshView())


def test_each_listener_of_a_gateway_and_each_host_has_rules_of_its_own() -> None:
    gateway = MeshGateway(
        Meta("MeshGateway", "default", "edge"),
        ({"kuma.io/service": "edge"},),
        {},
        (GatewayListener(80, "a.com", {"l": "a"}), GatewayListener(80, "b.com", {"l": "b"})),
    )
    at_edge = proxy(gateway=GatewayRole(builtin=True, tags={"kuma.io/service": "edge"}))
    everywhere = policy("m", to=[(MESH, {"x": 1})])
    at_a = policy("g", target("MeshGateway", "edge", tags={"l": "a"}), to=[(MESH, {"y": 2})])

    rules = gateway_to_rules("MeshTimeout", at_edge, MeshView((everywhere, at_a), (gateway,)))

    assert rules.by_listener[listener(80)].services[0].conf == {"x": 1, "y": 2}
    hosts = {host.hostname: each.services[0].conf for host, each in rules.by_host_listener.items()}
    assert hosts == {"a.com": {"x": 1, "y": 2}, "b.com": {"x": 1}}
    assert HostListener("10.0.0.1", 80, "a.com") in rules.by_host_listener


def test_a_gateway_does_without_shadow_policies_too() -> None:
    shadow = policy("shadow", labels={"kuma.io/effect": "shadow"}, to=[(MESH, {"x": 1})])
    view = MeshView((shadow,))

    assert gateway_to_rules("MeshTimeout", PROXY, view).by_listener == {}
    assert gateway_to_rules("MeshTimeout", PROXY, view, with_shadow=True).by_listener != {}


ABOUT = st.sampled_from([WHOLE_MESH, subset(app="web"), target("Dataplane"), subset(app="db")])
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([MESH, target("MeshService", "a"), target("MeshService", "b")]),
        st.dictionaries(st.sampled_from("xy"), st.integers(0, 9)),
    ),
    max_size=3,
)


@given(parts=st.lists(st.tuples(ABOUT, ENTRIES), max_size=4), data=st.data())
def test_the_order_in_which_policies_are_listed_does_not_matter(
    parts: list[tuple[TargetRef, Entries]], data: st.DataObject
) -> None:
    policies = [
        policy(f"p{index}", about, to=entries) for index, (about, entries) in enumerate(parts)
    ]
    shuffled = data.draw(st.permutations(policies))

    found = matched_policies("MeshTimeout", PROXY, MeshView(tuple(shuffled)))

    assert found == matched_policies("MeshTimeout", PROXY, MeshView(tuple(policies)))


def test_policies_are_found_by_type_in_the_order_of_the_view() -> None:
    first, second = policy("b"), policy("a")
    view = MeshView((first, policy(of="MeshRetry"), second))

    assert view.of_type("MeshTimeout") == [first, second]
    assert [*view.of_type("MeshTrace")] == []


def test_warnings_come_in_the_order_of_the_policies() -> None:
    unresolved = target("MeshHTTPRoute", "gone")
    view = MeshView(tuple(policy(name, unresolved) for name in ("a", "c", "b")))

    warnings = matched_policies("MeshTimeout", PROXY, view).warnings

    assert [each.split("name:")[1][0] for each in warnings] == ["c", "b", "a"]


@given(
    st.permutations(["wide", "of-web", "of-api", "nobody", "by-name"]),
)
def test_only_what_a_proxy_gets_is_ranked_and_that_as_all_would_be(order: list[str]) -> None:
    about = {
        "wide": MESH,
        "of-web": subset(app="web"),
        "of-api": subset(app="api"),
        "nobody": subset(app="db"),
        "by-name": target("Dataplane", PROXY.meta.name),
    }
    policies = [policy(name, about[name]) for name in order]

    matched = matched_policies("MeshTimeout", PROXY, MeshView(tuple(policies)))

    ranked = sorted_policies(policies)
    assert matched.policies == tuple(each for each in ranked if each.meta.name != "nobody")
