"""Policies from the JSON of their specs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules import mesh_resources
from kong_mesh_cp.core.policy.rules.destinations import Destination, Port
from kong_mesh_cp.core.policy.rules.mesh_resources import meta_of
from kong_mesh_cp.core.policy.rules.policy import TRAITS, Entry, Meta
from kong_mesh_cp.core.policy.rules.specs import destination_of, policy_of, proxy_of, target_of
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH, TargetRef
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.meta import has_spec
from support.specs.schema_documents import Json
from support.suites.offline_suites import KINDS, resource_of


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


def test_empty_lists_of_an_http_route_do_not_merge() -> None:
    (read,) = policy_of(_meta("MeshHTTPRoute"), {"to": [{"hostnames": [], "rules": []}]}).to

    assert read.conf == {}


@pytest.mark.parametrize(
    ("rules", "conf"),
    [
        ([], {"default": {"backendRefs": [{"kind": "MeshService", "name": "db", "weight": 1}]}}),
        ([{"default": {"a": 1}}], {"default": {"a": 1}}),
    ],
)
def test_what_merges_of_a_tcp_route_is_its_one_rule_or_the_service_itself(
    rules: list[object], conf: object
) -> None:
    entry = {"targetRef": {"kind": "MeshService", "name": "db"}, "rules": rules}
    (read,) = policy_of(_meta("MeshTCPRoute"), {"to": [entry]}).to

    assert read.conf == conf


@pytest.mark.parametrize("policy_type", TRAITS)
@pytest.mark.parametrize(
    "spec", [{}, {"to": None, "from": None}, {"to": [None]}, {"targetRef": {}}]
)
def test_an_empty_spec_says_nothing(policy_type: str, spec: dict[str, object]) -> None:
    policy = policy_of(_meta(policy_type), spec)

    assert (policy.target, policy.to, policy.sources) == (WHOLE_MESH, (), ())


ADDRESSES = st.sampled_from(["", "10.0.0.1", "10.0.0.2"])
TAGS = st.dictionaries(st.sampled_from(["kuma.io/service", "version"]), st.text(max_size=3))
INBOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "address": ADDRESSES,
        "port": st.integers(0, 65535),
        "servicePort": st.integers(0, 65535),
        "tags": TAGS,
        "name": st.sampled_from(["", "main"]),
        "state": st.sampled_from(["Ready", "NotReady", "Ignored", 0, 1, 2]),
        "health": st.just({"ready": False}),
    },
)
GATEWAYS = st.fixed_dictionaries(
    {}, optional={"tags": TAGS, "type": st.sampled_from(["DELEGATED", "BUILTIN", 0, 1])}
)
NETWORKING = st.fixed_dictionaries(
    {},
    optional={
        "address": ADDRESSES,
        "inbound": st.lists(INBOUNDS, max_size=3),
        "gateway": GATEWAYS,
        "outbound": st.just([{"port": 1, "tags": {"kuma.io/service": "db"}}]),
    },
)


@given(dataplane=st.fixed_dictionaries({}, optional={"networking": NETWORKING}))
def test_the_json_of_a_dataplane_says_the_same_as_its_types(dataplane: dict[str, Any]) -> None:
    resource = resource_of({"type": "Dataplane", "name": "dp", **dataplane})
    assert has_spec(resource, Dataplane)

    stored = json.loads(json.dumps(KINDS["Dataplane"].render(resource.spec)))

    assert proxy_of(meta_of(resource), stored) == mesh_resources.proxy_of(resource)
    assert proxy_of(meta_of(resource), stored).tag_sets == resource.spec.tag_sets


@given(document=Json)
def test_any_json_has_a_proxy(document: object) -> None:
    for spec in ({"networking": document}, {"networking": {"inbound": [document], "gateway": {}}}):
        assert proxy_of(_meta("Dataplane"), spec).meta == _meta("Dataplane")


def test_the_services_of_a_mesh_have_ports_and_the_mesh_has_none() -> None:
    spec = {"ports": [{"port": 80, "name": "http"}, {"port": 81}]}

    service = destination_of(_meta("MeshService"), spec)

    assert service == Destination(_meta("MeshService"), (Port(80, "http"), Port(81)))
    assert destination_of(_meta("Mesh"), {}) == Destination(_meta("Mesh"))
