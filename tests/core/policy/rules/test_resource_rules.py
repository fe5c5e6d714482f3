"""Rules for resources that traffic goes to (docs/wire/policies.md#resource-rules)."""

from __future__ import annotations

from kong_mesh_cp.core.policy.rules.destinations import Destinations, Port, destination_id
from kong_mesh_cp.core.policy.rules.resource_rules import resource_rules, rule_for_destination
from support.specs.policies import DEFAULT_MESH, policy, service, target

WEB = service("web", Port(80, "http"), Port(81, "admin"))
API = service("api")
ALL = Destinations([DEFAULT_MESH, WEB, API])
MESH, WEB_SERVICE = target("Mesh"), target("MeshService", "web")
WEB_HTTP = target("MeshService", "web", section_name="http")
MESH_ID, WEB_ID = destination_id(DEFAULT_MESH.meta), destination_id(WEB.meta)
HTTP_ID = destination_id(WEB.meta, "http")


def test_each_resource_that_is_meant_gets_all_that_covers_it() -> None:
    rules = resource_rules(
        [policy(to=[(WEB_HTTP, {"c": 3}), (WEB_SERVICE, {"b": 2}), (MESH, {"a": 1})])], ALL
    )

    assert {key: rule.confs for key, rule in rules.items()} == {
        MESH_ID: ({"a": 1},),
        WEB_ID: ({"a": 1, "b": 2},),
        HTTP_ID: ({"a": 1, "b": 2, "c": 3},),
    }
    assert [origin.index for origin in rules[HTTP_ID].origins] == [2, 1, 0]
    assert rules[HTTP_ID].section_name == "http"


def test_the_closer_destination_overrides_whatever_the_policies_are_called() -> None:
    about_service = policy("zzz", to=[(WEB_SERVICE, {"a": "service"})])
    about_mesh = policy("aaa", to=[(MESH, {"a": "mesh"})])

    rules = resource_rules([about_service, about_mesh], ALL)

    assert rules[WEB_ID].confs == ({"a": "service"},)
    assert [origin.meta.name for origin in rules[WEB_ID].origins] == ["aaa", "zzz"]


def test_a_resource_that_nothing_means_has_the_rule_of_what_it_is_part_of() -> None:
    rules = resource_rules([policy(to=[(MESH, {"a": 1}), (WEB_SERVICE, {"b": 2})])], ALL)

    admin = rule_for_destination(rules, destination_id(WEB.meta, "admin"))
    other = rule_for_destination(rules, destination_id(API.meta))

    assert admin is rules[WEB_ID]
    assert other is rules[MESH_ID]
    assert rule_for_destination({}, MESH_ID) is None


def test_entries_by_tags_and_policies_about_routes_say_nothing_of_resources() -> None:
    by_tags = policy(to=[(target("MeshServiceSubset", "web"), {"a": 1})])
    about_route = policy(about=target("MeshHTTPRoute", "r"), to=[(MESH, {"a": 1})])

    assert resource_rules([by_tags, about_route], ALL) == {}


def test_an_http_route_has_one_conf_a_hostname() -> None:
    rule = {"matches": [], "default": {"backendRefs": []}}
    to = [(WEB_SERVICE, {"hostnames": ["a.com", "b.com"], "rules": [rule]})]

    found = resource_rules([policy(of="MeshHTTPRoute", to=to)], ALL)[WEB_ID]

    assert [conf["hostnames"] for conf in found.confs] == [["a.com"], ["b.com"]]
    assert [index for _, index in found.backend_origins] == [0]
