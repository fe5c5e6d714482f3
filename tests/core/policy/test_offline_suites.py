"""Matching and merging as the shared suites state it.

Source: docs/wire/policies.md#matching, docs/wire/policies.md#merging
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.egress import egress_rules
from kong_mesh_cp.core.policy.rules.entries import to_entries
from kong_mesh_cp.core.policy.rules.inbound_rules import inbound_rules
from kong_mesh_cp.core.policy.rules.match import UnresolvedTargetError
from kong_mesh_cp.core.policy.rules.matched import (
    MatchedPolicies,
    MeshView,
    gateway_to_rules,
    matched_policies,
    selects_proxy,
)
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.rules.priority import sorted_entries, sorted_policies
from kong_mesh_cp.core.policy.rules.proxies import Proxy
from kong_mesh_cp.core.policy.rules.resource_rules import resource_rules
from kong_mesh_cp.core.policy.rules.routed_entries import service_entries
from kong_mesh_cp.core.policy.rules.subset_rules import from_rules, proxy_rules, service_rules
from kong_mesh_cp.core.resources.registry import TYPES
from support.suites.offline_suites import (
    OfflineCase,
    documents_of,
    offline_cases,
    proxy_among,
    shown_inbound_rules,
    shown_policy,
    shown_resource_rules,
    shown_subset_rules,
    shown_to_rules,
    view_of,
)
from support.suites.validation_cases import shared_folder

INBOUND = "127.0.0.1:80"


@pytest.mark.parametrize("case", offline_cases("rules-from"))
def test_from_lists_merge_into_rules_for_subsets_of_clients(case: OfflineCase) -> None:
    assert {
        "InboundRules": {INBOUND: shown_inbound_rules(inbound_rules(case.policies))},
        "Rules": {INBOUND: shown_subset_rules(from_rules(case.policies))},
    } == case.expected


@pytest.mark.parametrize("case", offline_cases("rules-inbound"))
def test_rules_and_from_lists_merge_into_one_rule_for_an_inbound(case: OfflineCase) -> None:
    assert {"rules": shown_inbound_rules(inbound_rules(case.policies))} == case.expected


@pytest.mark.parametrize("case", offline_cases("rules-outbound-resources"))
def test_to_lists_merge_into_rules_for_resources(case: OfflineCase) -> None:
    rules = resource_rules(sorted_policies(case.policies), case.view.destinations)

    assert _plain(shown_resource_rules(rules)) == _plain(case.expected)


@pytest.mark.parametrize("case", offline_cases("rules-outbound-sort"))
def test_to_entries_sort_by_priority(case: OfflineCase) -> None:
    found = sorted_entries(to_entries(case.policies))

    assert [(shown_policy(each.policy.meta), each.index) for each in found] == [
        (each["Meta"], each["RuleIndex"]) for each in case.expected
    ]


@pytest.mark.parametrize("case", offline_cases("rules-single"))
def test_the_confs_of_a_proxy_merge_into_one(case: OfflineCase) -> None:
    assert {"Rules": shown_subset_rules(proxy_rules(case.policies))} == case.expected


@pytest.mark.parametrize("case", offline_cases("rules-to"))
def test_to_lists_merge_into_rules_for_services(case: OfflineCase) -> None:
    policies = [each for each in case.policies if each.meta.type == case.policy_type]
    routes = [each for each in case.policies if each.meta.type == "MeshHTTPRoute"]
    rules = service_rules(list(service_entries(policies, routes)))
    resources = resource_rules(policies, case.view.destinations)

    assert {
        "ResourceRules": shown_resource_rules(resources),
        "Rules": shown_subset_rules(rules),
    } == case.expected


@pytest.mark.parametrize(
    "case", [*offline_cases("match-dataplane-kind"), *offline_cases("match-dataplane-policies")]
)
def test_a_proxy_gets_the_policies_that_select_it_in_order(case: OfflineCase) -> None:
    found = _matched(case).policies

    expected = [
        {key: each[key] for key in each if key != "spec"} for each in case.expected["items"]
    ]
    assert [shown_policy(policy.meta) for policy in found] == expected


@pytest.mark.parametrize("case", offline_cases("match-from-rules"))
def test_each_inbound_gets_the_rules_of_the_policies_that_select_it(case: OfflineCase) -> None:
    matched = _matched(case)

    assert {
        "InboundRules": _by_text(matched.inbound_rules, shown_inbound_rules),
        "Rules": _by_text(matched.from_rules, shown_subset_rules),
    } == case.expected


@pytest.mark.parametrize(
    "case", [*offline_cases("match-to-rules"), *offline_cases("match-external-service")]
)
def test_outgoing_traffic_gets_the_rules_of_the_policies_that_select_it(case: OfflineCase) -> None:
    assert shown_to_rules(_matched(case).to_rules) == case.expected


@pytest.mark.parametrize("case", offline_cases("match-gateways"))
def test_each_listener_of_a_gateway_gets_rules(case: OfflineCase) -> None:
    matched = _matched(case)
    rules = gateway_to_rules(case.policy_type, case.proxy, case.view)

    assert {
        "FromRules": _by_text(matched.from_rules, shown_subset_rules),
        "InboundRules": _by_text(matched.inbound_rules, shown_inbound_rules),
        "ToRules": {
            "ByListener": _by_text(rules.by_listener, shown_to_rules),
            "ByListenerAndHostname": _by_text(rules.by_host_listener, shown_to_rules),
        },
    } == case.expected


@pytest.mark.parametrize(
    "case",
    [
        *offline_cases("match-egress-from-rules"),
        *offline_cases("match-egress-from-to-rules"),
        *offline_cases("match-egress-to-rules"),
    ],
)
def test_a_zone_egress_gets_rules_for_the_clients_of_a_service(case: OfflineCase) -> None:
    (service,) = case.inputs["es"]
    rules = egress_rules(case.policy_type, service["tags"], case.policies)

    inbound = rules.inbound
    assert {
        "InboundRules": None if inbound is None else {":0": shown_inbound_rules(inbound)},
        "Rules": {":0": shown_subset_rules(rules.clients)},
    } == case.expected


def _matched(case: OfflineCase) -> MatchedPolicies:
    matched = matched_policies(case.policy_type, case.proxy, case.view)
    assert matched.warnings == ()
    return matched


def _by_text(rules: Mapping[Any, Any], shown: Any) -> dict[str, Any]:
    return {str(place): shown(about) for place, about in rules.items()}


def _plain(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Without times and such: this suite writes resources in two ways."""
    return {
        key: {
            **rule,
            "Resource": _plain_meta(rule["Resource"]),
            "Origin": [
                {**each, "Resource": _plain_meta(each["Resource"])} for each in rule["Origin"]
            ],
        }
        for key, rule in rules.items()
    }


def _plain_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    known = {key.lower(): value for key, value in meta.items()}
    return {key: known.get(key) or {} for key in ("mesh", "name", "labels")}


def _inspection_cases() -> list[Any]:
    shared = shared_folder()
    if shared is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    data = shared / "conformance/suites/api-policy-dataplanes/data"
    return [
        pytest.param(path, id=path.name.removesuffix(".input.yaml"))
        for path in sorted(data.glob("*.input.yaml"))
        if _inspected(path) is not None
    ]


def _inspected(path: Path) -> Policy | None:
    """The targetRef policy whose proxies the case asks for; other types select in other ways."""
    request = path.read_text().splitlines()[0].split()
    types, name = request[0].split("/")[3:5]
    for policy in view_of(documents_of(path)).policies:
        if (TYPES[policy.meta.type].path, policy.meta.name, request[-1]) == (types, name, "200"):
            return policy
    return None


@pytest.mark.parametrize("path", _inspection_cases())
def test_a_policy_tells_the_proxies_it_selects(path: Path) -> None:
    policy, documents = _inspected(path), list(documents_of(path))
    assert policy is not None
    golden = path.with_name(path.name.replace(".input.yaml", ".golden.json"))
    view = view_of(documents)

    selected = [
        each["name"]
        for each in documents
        if each["type"] == "Dataplane" and _selects(policy, proxy_among([each]), view)
    ]

    assert sorted(selected) == [each["name"] for each in json.loads(golden.read_text())["items"]]


def _selects(policy: Policy, proxy: Proxy, view: MeshView) -> bool:
    try:
        return selects_proxy(policy, proxy, view)
    except UnresolvedTargetError:
        return False
