"""The body of `_rules`, on the shared cases and on hand-made ones.

Source: docs/wire/inspection.md#rules-of-a-proxy
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from kong_mesh_cp.core.policy.rules.destinations import Destinations
from kong_mesh_cp.core.policy.rules.http_matches import matches_hash
from kong_mesh_cp.core.policy.rules.matched import MeshView
from kong_mesh_cp.core.policy.rules.mesh_resources import gateway_of
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.rules.proxies import GatewayRole, MeshGateway, served_gateway
from kong_mesh_cp.core.policy.views.rules_view import proxy_of_gateway, rules_view
from kong_mesh_cp.core.resources.kinds.mesh_gateway import MeshGateway as MeshGatewaySpec
from kong_mesh_cp.core.resources.meta import has_spec
from support.specs.policies import DEFAULT_MESH, inbound, policy, proxy, route, subset, target
from support.suites.offline_suites import documents_of, proxy_among, resource_of, view_of
from support.suites.validation_cases import shared_folder

DESTINATIONS = Destinations([DEFAULT_MESH])


def _rules_cases() -> list[Any]:
    shared = shared_folder()
    if shared is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    suites = [
        shared / "conformance/suites" / name
        for name in ("api-dataplane-rules", "api-gateway-rules")
    ]
    return [
        pytest.param(path, id=f"{suite.name}/{path.name.removesuffix('.input.yaml')}")
        for suite in suites
        for path in sorted((suite / "data").glob("*.input.yaml"))
        if path.read_text().splitlines()[0].endswith("/_rules 200")
    ]


@pytest.mark.parametrize("path", _rules_cases())
def test_the_view_shows_what_the_original_shows(path: Path) -> None:
    documents = list(documents_of(path))
    expected = json.loads(
        path.with_name(path.name.replace(".input.yaml", ".golden.json")).read_text()
    )
    resource = expected["resource"]
    about = next(each for each in documents if each["name"] == resource["name"])
    if resource["type"] == "Dataplane":
        found = proxy_among(documents, resource["name"])
    else:
        gateway = resource_of(about)
        assert has_spec(gateway, MeshGatewaySpec)
        served = proxy_of_gateway(gateway_of(gateway))
        assert served is not None
        found = served
    mesh = next(each for each in documents if each["type"] == "Mesh")
    exclusive = mesh.get("meshServices", {}).get("mode") == "Exclusive"

    shown = rules_view(found, view_of(documents), services_by_tag=not exclusive)

    assert shown == expected


def test_only_types_with_something_to_say_are_listed_and_routes_first() -> None:
    to = [(target("Mesh"), {"a": 1})]
    view = MeshView(
        (
            policy("patch", of="MeshProxyPatch", conf={"appendModifications": [1]}),
            policy("retry", of="MeshRetry", to=to),
            policy("silent", rules=()),
            route("route", {"matches": [{"method": "GET"}], "default": {}}),
        )
    )

    shown = rules_view(proxy(inbound(80)), view)

    assert _types(shown) == ["MeshHTTPRoute", "MeshRetry", "MeshProxyPatch"]


def _types(shown: dict[str, Any]) -> list[str]:
    return [each["type"] for each in shown["rules"]]


def test_types_come_in_the_order_in_which_they_change_a_configuration() -> None:
    everybody = [(target("Mesh"), {"a": 1})]
    names = [
        "MeshProxyPatch",
        "MeshMetric",
        "MeshRetry",
        "MeshCircuitBreaker",
        "MeshHealthCheck",
        "MeshTrafficPermission",
        "MeshTimeout",
        "MeshRateLimit",
        "MeshFaultInjection",
        "MeshTrace",
        "MeshAccessLog",
        "MeshPassthrough",
        "MeshLoadBalancingStrategy",
        "MeshTLS",
        "MeshTCPRoute",
        "MeshHTTPRoute",
    ]
    view = MeshView(
        tuple(policy(of=name, to=everybody, sources=everybody, conf={"a": 1}) for name in names)
    )

    assert _types(rules_view(proxy(inbound(80)), view)) == names[::-1]


def test_the_matches_behind_the_hashes_are_reported_once_by_hash() -> None:
    matches = [{"method": method} for method in ("GET", "PUT")]
    rules = [{"matches": [each], "default": {}} for each in matches]
    view = MeshView((route("a", *rules), route("b", rules[0], service="other")))

    shown: Any = rules_view(proxy(inbound(80)), view)["httpMatches"]

    assert [each["hash"] for each in shown] == sorted(matches_hash([each]) for each in matches)
    assert [each["match"] for each in shown if each["hash"] == matches_hash([matches[0]])] == [
        [matches[0]]
    ]


def test_an_inbound_is_reported_by_port_name_and_tags() -> None:
    view = MeshView((policy(rules=[{"a": 1}]),))
    named, plain = inbound(90, {"app": "web"}, name="main"), inbound(80)

    shown: Any = rules_view(proxy(named, plain), view)

    assert [each["inbound"] for each in shown["rules"][0]["inboundRules"]] == [
        {"port": 80, "tags": {}},
        {"name": "main", "port": 90, "tags": {"app": "web"}},
    ]


def test_a_mesh_with_services_only_as_resources_shows_no_rules_by_tag() -> None:
    view = MeshView((policy(to=[(target("Mesh"), {"a": 1})]),), destinations=DESTINATIONS)

    shown: Any = rules_view(proxy(inbound(80)), view, services_by_tag=False)

    assert shown["rules"][0]["toRules"] == []
    assert shown["rules"][0]["toResourceRules"][0]["resourceMeta"]["name"] == "default"


def test_a_warning_stands_beside_the_rules_of_its_type() -> None:
    lost = policy("lost", target("MeshHTTPRoute", "gone"), to=[(target("Mesh"), {})])

    alone: Any = rules_view(proxy(inbound(80)), MeshView((lost,)))
    beside: Any = rules_view(proxy(inbound(80)), MeshView((lost, policy(rules=[{"a": 1}]))))

    assert alone["rules"] == []
    assert "name:lost" in beside["rules"][0]["warnings"][0]


def test_a_gateway_that_selects_no_proxy_has_none_to_ask() -> None:
    assert proxy_of_gateway(MeshGateway(Meta("MeshGateway", "default", "edge"))) is None


def test_the_proxy_to_ask_for_a_gateway_is_one_that_would_serve_it() -> None:
    selectors: tuple[dict[str, str], ...] = ({"kuma.io/service": "edge"}, {"kuma.io/service": "b"})
    gateway = MeshGateway(Meta("MeshGateway", "default", "edge"), selectors)

    found = proxy_of_gateway(gateway)

    assert found is not None
    assert found.gateway == GatewayRole(builtin=True, tags={"kuma.io/service": "edge"})
    assert served_gateway(found, [gateway]) is gateway


def test_rules_that_repeat_a_tag_or_a_policy_share_what_shows_it() -> None:
    tags = [f"tag-{number}" for number in range(8)]
    sources = [(subset(**{tag: "yes"}), {"action": "Allow"}) for tag in tags]
    allowed = policy("p", of="MeshTrafficPermission", sources=sources)
    shown = rules_view(proxy(inbound(80)), MeshView((allowed,), (), DESTINATIONS))
    (of_type,) = cast("Any", shown)["rules"]
    rules = of_type["fromRules"][0]["rules"]
    assert len(rules) == 2 ** len(tags) - 1  # for those with none of the tags there is no rule
    matchers = {id(each) for rule in rules for each in rule["matchers"]}
    assert len(matchers) == 2 * len(tags)
    assert len({id(each) for rule in rules for each in rule["origin"]}) == 1


def test_the_view_is_plain_json() -> None:
    trace = policy(of="MeshTrace", conf={"backends": []}, labels={"team": "a"})
    view = MeshView(
        (trace, policy(to=[(target("Mesh"), {"a": 1})], sources=[(target("Mesh"), {})]))
    )

    shown = rules_view(proxy(inbound(80)), view)

    assert json.loads(json.dumps(shown)) == shown
