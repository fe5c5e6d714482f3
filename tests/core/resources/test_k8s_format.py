"""Resources as Kubernetes objects, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go_values import ParseError
from kong_mesh_cp.core.resources.k8s_format import from_k8s, is_k8s, is_namespaced, to_k8s
from kong_mesh_cp.core.resources.registry import TYPES

AT = datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)
CREATED = "2026-01-01T10:00:00Z"


def shown(resource_type: str, mesh: str, body: dict[str, object], namespace: str = "") -> object:
    return to_k8s(TYPES[resource_type], mesh, "a", body, AT, namespace=namespace)


def test_a_mesh_is_a_cluster_wide_object() -> None:
    assert shown("Mesh", "", {"mtls": {}}) == {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "Mesh",
        "metadata": {"name": "a", "creationTimestamp": CREATED},
        "spec": {"mtls": {}},
    }


def test_a_legacy_policy_names_its_mesh_beside_the_metadata() -> None:
    assert shown("TrafficLog", "m", {"sources": []}) == {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "TrafficLog",
        "mesh": "m",
        "metadata": {"name": "a", "creationTimestamp": CREATED},
        "spec": {"sources": []},
    }


def test_a_plugin_policy_is_namespaced_and_labelled_with_its_mesh() -> None:
    assert shown("MeshTimeout", "m", {"spec": {"targetRef": {"kind": "Mesh"}}}) == {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "MeshTimeout",
        "metadata": {
            "name": "a",
            "namespace": "kong-mesh-system",
            "labels": {"kuma.io/mesh": "m"},
            "creationTimestamp": CREATED,
        },
        "spec": {"targetRef": {"kind": "Mesh"}},
    }


def test_a_status_is_shown_beside_the_spec() -> None:
    body: dict[str, object] = {"spec": {"ports": []}, "status": {"vips": []}}
    document = shown("MeshService", "m", body, namespace="apps")
    assert isinstance(document, dict)
    assert document["status"] == {"vips": []}
    assert document["metadata"]["namespace"] == "apps"


def test_a_dataplane_is_namespaced_and_names_its_mesh() -> None:
    assert shown("Dataplane", "m", {"networking": {}}) == {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "Dataplane",
        "mesh": "m",
        "metadata": {
            "name": "a",
            "namespace": "kong-mesh-system",
            "creationTimestamp": CREATED,
        },
        "spec": {"networking": {}},
    }


def test_a_zone_proxy_is_namespaced_and_global() -> None:
    document = shown("ZoneIngress", "", {"networking": {}})
    assert isinstance(document, dict)
    assert "mesh" not in document
    assert document["metadata"]["namespace"] == "kong-mesh-system"


def test_a_secret_is_a_secret_of_kubernetes() -> None:
    assert shown("Secret", "m", {"data": "dGVzdAo="}) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "system.kuma.io/secret",
        "metadata": {
            "name": "a",
            "namespace": "kong-mesh-system",
            "labels": {"kuma.io/mesh": "m"},
            "creationTimestamp": CREATED,
        },
        "data": {"value": "dGVzdAo="},
    }


def test_a_global_secret_has_no_mesh() -> None:
    document = shown("GlobalSecret", "", {"data": "dGVzdAo="})
    assert isinstance(document, dict)
    assert document["type"] == "system.kuma.io/global-secret"
    assert "labels" not in document["metadata"]


def test_instants_are_shown_in_utc_without_parts_of_a_second() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    document = to_k8s(TYPES["Zone"], "", "a", {}, there)
    assert document["metadata"] == {"name": "a", "creationTimestamp": CREATED}


def test_the_system_namespace_can_be_another() -> None:
    row = TYPES["Dataplane"]
    document = to_k8s(row, "m", "a", {}, AT, system_namespace="kuma-system")
    assert isinstance(document["metadata"], dict)
    assert document["metadata"]["namespace"] == "kuma-system"


@pytest.mark.parametrize(
    ("name", "namespaced"),
    [("MeshRetry", True), ("Dataplane", True), ("Secret", True), ("Mesh", False), ("Retry", False)],
)
def test_plugin_types_proxies_and_secrets_are_namespaced(name: str, *, namespaced: bool) -> None:
    assert is_namespaced(TYPES[name]) is namespaced


@pytest.mark.parametrize(
    ("document", "k8s"),
    [
        ({"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh"}, True),
        ({"apiVersion": "v1", "kind": "Secret", "type": "system.kuma.io/secret"}, True),
        ({"type": "Mesh", "name": "a"}, False),
        ({"type": "Mesh", "apiVersion": "x"}, False),
        ([], False),
        (None, False),
    ],
)
def test_the_two_forms_are_distinguished(document: object, *, k8s: bool) -> None:
    assert is_k8s(document) is k8s


def test_a_mesh_written_for_kubernetes_is_read() -> None:
    document = {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "Mesh",
        "metadata": {"name": "payments"},
        "spec": {"mtls": {"enabledBackend": "ca-1"}},
    }
    assert from_k8s(document) == {
        "type": "Mesh",
        "name": "payments",
        "mtls": {"enabledBackend": "ca-1"},
    }


@pytest.mark.parametrize(
    ("document", "mesh"),
    [
        ({"mesh": "m1", "metadata": {"labels": {"kuma.io/mesh": "m2"}}}, "m1"),
        ({"metadata": {"labels": {"kuma.io/mesh": "m2"}}}, "m2"),
        ({"metadata": {}}, "default"),
        ({}, "default"),
    ],
)
def test_the_mesh_stands_beside_the_metadata_or_in_a_label(
    document: dict[str, object], mesh: str
) -> None:
    kuma = {"apiVersion": "kuma.io/v1alpha1", "kind": "MeshTimeout", "spec": {"to": []}}
    body = from_k8s(kuma | document)
    assert body["mesh"] == mesh
    assert body["spec"] == {"to": []}
    assert "labels" not in body


def test_labels_of_the_user_are_kept() -> None:
    metadata = {"name": "a", "labels": {"kuma.io/mesh": "m", "team": "x"}}
    document = {"apiVersion": "kuma.io/v1alpha1", "kind": "MeshRetry", "metadata": metadata}
    assert from_k8s(document)["labels"] == {"team": "x"}


def test_a_spec_cannot_rename_its_resource() -> None:
    document = {
        "apiVersion": "kuma.io/v1alpha1",
        "kind": "Zone",
        "metadata": {"name": "east"},
        "spec": {"name": "west", "type": "Mesh", "enabled": True},
    }
    assert from_k8s(document) == {"type": "Zone", "name": "east", "enabled": True}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "apiVersion has to be kuma.io/v1alpha1"),
        ({"apiVersion": "apps/v1", "kind": "Mesh"}, "apiVersion has to be kuma.io/v1alpha1"),
        ({"apiVersion": "kuma.io/v1alpha1"}, "kind is no type of this control plane"),
        (
            {"apiVersion": "kuma.io/v1alpha1", "kind": "Secret"},
            "kind is no type of this control plane",
        ),
        (
            {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"},
            (
                "a Secret of Kubernetes has to be of one of the types "
                "system.kuma.io/global-secret, system.kuma.io/secret"
            ),
        ),
        (
            {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "metadata": []},
            "metadata has to be an object",
        ),
        (
            {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "spec": "a"},
            "spec has to be an object",
        ),
    ],
)
def test_what_is_no_object_of_ours_is_reported(document: dict[str, object], reason: str) -> None:
    with pytest.raises(ParseError) as refused:
        from_k8s(document)
    assert refused.value.reason == reason


@given(st.sampled_from(sorted(TYPES)), st.dictionaries(st.text(), st.text(), max_size=3))
def test_what_is_shown_can_be_read_back(name: str, fields: dict[str, str]) -> None:
    row = TYPES[name]
    spec: dict[str, object] = {f"_{key}": value for key, value in fields.items()}
    body: dict[str, object] = {"spec": spec} if row.plugin else spec
    if name in {"Secret", "GlobalSecret"}:
        body = {"data": "dGVzdAo="}
    mesh = "m" if row.is_mesh_scoped else ""
    expected = {"type": name, "name": "a", **body} | ({"mesh": mesh} if mesh else {})
    assert from_k8s(to_k8s(row, mesh, "a", body, AT)) == expected
