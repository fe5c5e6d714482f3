"""Policies from the JSON of their specs."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.policy import TRAITS, Entry, Meta
from kong_mesh_cp.core.policy.rules.specs import policy_of, target_of
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef


def _meta(policy_type: str) -> Meta:
    return Meta(policy_type, "default", "policy")


def test_every_member_of_a_reference_is_read() -> None:
    assert target_of(
        {
            "kind": "MeshService",
            "name": "web",
            "mesh": "other",
            "namespace": "shop",
            "sectionName": "http",
            "tags": {"a": "1"},
            "labels": {"b": "2"},
            "proxyTypes": ["Sidecar"],
        }
    ) == TargetRef(
        kind="MeshService",
        name="web",
        mesh="other",
        namespace="shop",
        section_name="http",
        tags={"a": "1"},
        labels={"b": "2"},
        proxy_types=("Sidecar",),
    )


def test_a_policy_without_target_is_about_the_mesh_and_so_is_an_entry() -> None:
    policy = policy_of(_meta("MeshTimeout"), {"to": [{"default": {"a": 1}}]})

    assert policy.target == WHOLE_MESH
    assert policy.to == (Entry(WHOLE_MESH, {"a": 1}),)


def test_lists_keep_their_order() -> None:
    spec = {
        "from": [{"targetRef": {"kind": "Mesh"}, "default": {"a": 1}}],
        "rules": [{"default": {"b": 2}}, {"default": {"c": 3}}],
    }

    policy = policy_of(_meta("MeshTimeout"), spec)

    assert [entry.conf for entry in policy.sources] == [{"a": 1}]
    assert policy.rules == ({"b": 2}, {"c": 3})


def test_the_default_of_a_type_without_lists_is_for_the_whole_proxy() -> None:
    assert policy_of(_meta("MeshTrace"), {"default": {"a": 1}}).proxy_conf == {"a": 1}
    assert policy_of(_meta("MeshMetric"), {}).proxy_conf == {}
    assert policy_of(_meta("MeshTimeout"), {}).proxy_conf is None


def test_what_merges_of_an_http_route_are_hostnames_and_rules() -> None:
    rules: list[dict[str, Any]] = [{"matches": [], "default": {}}]
    entry = {
        "targetRef": {"kind": "MeshService", "name": "web"},
        "hostnames": ["a"],
        "rules": rules,
    }

    (read,) = policy_of(_meta("MeshHTTPRoute"), {"to": [entry]}).to

    assert read.conf == {"hostnames": ["a"], "rules": rules}


@pytest.mark.parametrize(
    ("rules", "conf"), [([], {}), ([{"default": {"a": 1}}], {"default": {"a": 1}})]
)
def test_what_merges_of_a_tcp_route_is_its_one_rule(rules: list[object], conf: object) -> None:
    (read,) = policy_of(_meta("MeshTCPRoute"), {"to": [{"rules": rules}]}).to

    assert read.conf == conf


@pytest.mark.parametrize("policy_type", TRAITS)
@pytest.mark.parametrize(
    "spec", [{}, {"to": None, "from": None}, {"to": [None]}, {"targetRef": {}}]
)
def test_an_empty_spec_says_nothing(policy_type: str, spec: dict[str, object]) -> None:
    policy = policy_of(_meta(policy_type), spec)

    assert (policy.target, policy.to, policy.sources) == (WHOLE_MESH, (), ())
