"""Labels: what a client may set, what a write adds."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.labels import (
    Deployment,
    Mode,
    computed_labels,
    label_violations,
)
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.violations import Violation

ZONE = Deployment(Mode.ZONE, "east")
GLOBAL = Deployment(Mode.GLOBAL)
FEDERATED = Deployment(Mode.ZONE, "east", federated=True)
ORIGIN = {"kuma.io/origin": "zone", "kuma.io/zone": "east", "kuma.io/env": "universal"}


@pytest.mark.parametrize(
    ("resource_type", "mesh", "labels"),
    [
        ("Secret", "m", {"kuma.io/mesh": "m", **ORIGIN}),
        ("GlobalSecret", "", ORIGIN),
        ("MeshTimeout", "m", {"kuma.io/mesh": "m", **ORIGIN}),
        ("MeshService", "m", {"kuma.io/mesh": "m", **ORIGIN}),
        ("Mesh", "", {}),
        ("TrafficRoute", "m", {"kuma.io/mesh": "m"}),
        ("ExternalService", "m", {"kuma.io/mesh": "m"}),
        ("MeshMultiZoneService", "m", {"kuma.io/mesh": "m"}),
    ],
)
def test_a_zone_labels_what_comes_from_zones(
    resource_type: str, mesh: str, labels: dict[str, str]
) -> None:
    assert computed_labels({}, TYPES[resource_type], mesh, ZONE) == labels


def test_a_global_control_plane_labels_the_mesh_only() -> None:
    labels = computed_labels({}, TYPES["MeshTimeout"], "m", GLOBAL)
    assert labels == {"kuma.io/mesh": "m"}


def test_proxies_are_labelled_with_their_type() -> None:
    labels = computed_labels({}, TYPES["Dataplane"], "m", ZONE, proxy_type="sidecar")
    assert labels["kuma.io/proxy-type"] == "sidecar"


def test_labels_of_the_client_stay_and_all_are_sorted() -> None:
    labels = computed_labels({"team": "a", "a": "b"}, TYPES["MeshTimeout"], "m", ZONE)
    assert labels["team"] == "a"
    assert list(labels) == sorted(labels)


def test_what_a_client_says_of_the_origin_is_kept() -> None:
    labels = computed_labels({"kuma.io/env": "kubernetes"}, TYPES["MeshTimeout"], "m", ZONE)
    assert labels == {"kuma.io/mesh": "m", **ORIGIN, "kuma.io/env": "kubernetes"}


def test_what_is_of_the_global_control_plane_is_of_no_zone() -> None:
    labels = computed_labels({"kuma.io/origin": "global"}, TYPES["MeshTimeout"], "m", ZONE)
    assert labels == {"kuma.io/mesh": "m", "kuma.io/origin": "global"}


def violations(
    labels: dict[str, str], deployment: Deployment = ZONE, name: str = "MeshTimeout"
) -> list[Violation]:
    return label_violations(labels, TYPES[name], "m", deployment)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"a": ""},
        {"team": "payments_1.x"},
        {"example.com/team": "a"},
        {"kuma.io/mesh": "m"},
        {"kuma.io/origin": "zone"},
        {"k": "v" * 63},
    ],
)
def test_labels_of_kubernetes_are_labels(labels: dict[str, str]) -> None:
    assert violations(labels) == []


def test_the_mesh_label_cannot_differ_from_the_mesh() -> None:
    assert violations({"kuma.io/mesh": "other"}) == [
        Violation(
            'labels["kuma.io/mesh"]', "kuma.io/mesh label must not differ from mesh set on resource"
        )
    ]


def test_a_resource_beside_all_meshes_has_no_mesh_label() -> None:
    told = label_violations({"kuma.io/mesh": "m"}, TYPES["Zone"], "", ZONE)
    assert [each.field for each in told] == ['labels["kuma.io/mesh"]']


def test_what_the_labels_mean_is_reported_before_how_they_are_written() -> None:
    told = violations({"a b": "", "kuma.io/mesh": "x", "kuma.io/zone": "west"})
    assert [each.field for each in told] == [
        'labels["kuma.io/zone"]',
        'labels["kuma.io/mesh"]',
        'labels["a b"]',
    ]


def test_what_comes_from_the_global_control_plane_is_not_checked_for_zone_and_mesh() -> None:
    labels = {"kuma.io/origin": "global", "kuma.io/zone": "west", "kuma.io/mesh": "x"}
    assert violations(labels) == []


def test_an_origin_is_a_zone_or_the_global_one() -> None:
    assert violations({"kuma.io/origin": "mars"}) == [
        Violation('labels["kuma.io/origin"]', 'unknown resource origin "mars"')
    ]


def test_an_empty_origin_says_nothing_and_is_kept() -> None:
    assert violations({"kuma.io/origin": ""}) == []
    labels = computed_labels({"kuma.io/origin": ""}, TYPES["MeshTimeout"], "m", ZONE)
    assert labels["kuma.io/origin"] == ""


def test_a_federated_zone_asks_for_the_origin_of_plugin_types() -> None:
    missing = Violation('labels["kuma.io/origin"]', "the origin label must be set to 'zone'")
    assert violations({}, FEDERATED) == [missing]
    assert violations({"kuma.io/origin": "global"}, FEDERATED) == [missing]
    assert violations({"kuma.io/origin": "zone"}, FEDERATED) == []
    assert violations({}, FEDERATED, "Dataplane") == []


@pytest.mark.parametrize("deployment", [ZONE, FEDERATED])
def test_a_zone_knows_its_own_name(deployment: Deployment) -> None:
    labels = {"kuma.io/origin": "zone", "kuma.io/zone": "west"}
    assert violations(labels, deployment) == [
        Violation('labels["kuma.io/zone"]', "kuma.io/zone label should have east value")
    ]


def test_other_zones_are_named_by_the_global_control_plane() -> None:
    assert violations({"kuma.io/zone": "west", "kuma.io/mesh": "other"}, GLOBAL) == []
    global_ = {"kuma.io/origin": "global", "kuma.io/zone": "west", "kuma.io/mesh": "other"}
    assert violations(global_) == []


@pytest.mark.parametrize(
    ("key", "starts"),
    [
        ("a/b/c", ["a qualified name must consist of"]),
        ("/a", ["prefix part must be non-empty"]),
        ("A/a", ["prefix part a lowercase RFC 1123 subdomain"]),
        ("a/", ["name part must be non-empty", "name part must consist of"]),
        ("-a", ["name part must consist of"]),
        ("n" * 64, ["name part must be no more than 63 characters"]),
        ("p" * 254 + "/a", ["prefix part must be no more than 253 characters"]),
    ],
)
def test_a_key_is_a_qualified_name(key: str, starts: list[str]) -> None:
    found = violations({key: "v"})
    assert [each.field for each in found] == [f'labels["{key}"]'] * len(starts)
    assert all(each.message.startswith(start) for each, start in zip(found, starts, strict=True))


@pytest.mark.parametrize(
    ("value", "starts"),
    [
        ("a b", ["a valid label must be an empty string or consist of"]),
        ("-", ["a valid label must be"]),
        ("v" * 64, ["must be no more than 63 characters"]),
        ("ä", ["a valid label must be"]),
    ],
)
def test_a_value_is_short_and_plain(value: str, starts: list[str]) -> None:
    found = violations({"k": value})
    assert all(each.message.startswith(start) for each, start in zip(found, starts, strict=True))


def test_every_label_that_is_wrong_is_reported() -> None:
    assert len(violations({"a b": "c d", "kuma.io/origin": "x", "kuma.io/mesh": "y"})) == 4


def test_the_deployment_is_checked_before_the_form() -> None:
    labels = {"a b": "c", "kuma.io/mesh": "y", "kuma.io/origin": "x", "kuma.io/zone": "west"}
    assert [each.field for each in violations(labels)] == [
        'labels["kuma.io/origin"]',
        'labels["kuma.io/zone"]',
        'labels["kuma.io/mesh"]',
        'labels["a b"]',
    ]
