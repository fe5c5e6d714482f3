"""Names, meshes and labels as a body gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.meta import (
    CANNOT_BE_EMPTY,
    MESH_CHARACTERS,
    NAME_CHARACTERS,
    NAME_LENGTH,
    Resource,
    ResourceMeta,
    Scope,
    label_1035_reasons,
    mesh_reason,
    meta_violations,
    name_reason,
    name_warning,
    read_meta,
    url_violations,
)
from kong_mesh_cp.core.schema.violations import Violation
from support.suites.validation_cases import shared_folder

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("name", ["a", "default", "default.name-1", "0", "a-b.c--d", "a" * 253])
def test_a_dns_subdomain_is_a_name(name: str) -> None:
    assert name_reason(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", CANNOT_BE_EMPTY),
        ("two..dots", NAME_CHARACTERS),
        ("under_score", NAME_CHARACTERS),
        ("Upper", NAME_CHARACTERS),
        ("-a", NAME_CHARACTERS),
        ("a.", NAME_CHARACTERS),
        ("a\n", NAME_CHARACTERS),
        ("ä", NAME_CHARACTERS),
        ("a" * 254, NAME_LENGTH),
    ],
)
def test_what_is_no_name_is_reported(name: str, reason: str) -> None:
    assert name_reason(name) == reason
    assert meta_violations(name, "", Scope.GLOBAL) == [Violation("name", reason)]


@pytest.mark.parametrize("mesh", ["default", "mesh_1", "a.b", "0"])
def test_a_mesh_may_have_underscores(mesh: str) -> None:
    assert mesh_reason(mesh) is None


@pytest.mark.parametrize(
    ("mesh", "reason"),
    [
        ("", CANNOT_BE_EMPTY),
        ("Mesh", MESH_CHARACTERS),
        ("a b", MESH_CHARACTERS),
        ("a\n", MESH_CHARACTERS),
    ],
)
def test_what_is_no_mesh_is_reported_for_a_type_that_lies_in_one(mesh: str, reason: str) -> None:
    assert meta_violations("a", mesh, Scope.MESH) == [Violation("mesh", reason)]
    assert meta_violations("a", mesh, Scope.GLOBAL) == []


def test_name_and_mesh_are_both_reported() -> None:
    violations = meta_violations("", "", Scope.MESH)
    assert [each.field for each in violations] == ["name", "mesh"]


def _shared_cases() -> list[Any]:
    folder = shared_folder()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    document = yaml.safe_load((folder / "conformance/validation/Meta.yaml").read_text())
    return [pytest.param(case, id=case["id"]) for case in document["cases"]]


@pytest.mark.parametrize("case", _shared_cases())
def test_a_shared_case_of_meta_gives_its_violations(case: dict[str, Any]) -> None:
    body = yaml.safe_load(case["input"])
    found = meta_violations(body["name"], body["mesh"], Scope(case["scope"]))
    expected = [(each["field"], each["message"]) for each in case["violations"]]
    assert [(each.field, each.message) for each in found] == expected


def test_the_meta_of_a_body_is_read() -> None:
    body = {
        "type": "Dataplane",
        "mesh": "m",
        "name": "n",
        "labels": {"a": "b", "c": None},
        "creationTime": "not looked at",
        "other": 1,
    }
    expected = ResourceMeta(type="Dataplane", mesh="m", name="n", labels={"a": "b", "c": ""})
    assert read_meta(body) == expected


@pytest.mark.parametrize("body", [None, {}, {"type": None, "labels": None}])
def test_what_is_not_given_is_empty(body: object) -> None:
    assert read_meta(body) == ResourceMeta()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "json: cannot unmarshal array into Go value of type v1alpha1.ResourceMeta"),
        ("a", "json: cannot unmarshal string into Go value of type v1alpha1.ResourceMeta"),
        (
            {"name": 1},
            "json: cannot unmarshal number into Go struct field ResourceMeta.name of type string",
        ),
        (
            {"mesh": True},
            "json: cannot unmarshal bool into Go struct field ResourceMeta.mesh of type string",
        ),
        (
            {"type": {}},
            "json: cannot unmarshal object into Go struct field ResourceMeta.type of type string",
        ),
        (
            {"labels": "a"},
            "json: cannot unmarshal string into Go struct field ResourceMeta.labels of type map[string]string",
        ),
        (
            {"labels": {"a": 1.5}},
            "json: cannot unmarshal number into Go struct field ResourceMeta.labels of type string",
        ),
    ],
)
def test_a_wrong_type_is_reported_in_gos_words(body: object, reason: str) -> None:
    with pytest.raises(ParseError) as refused:
        read_meta(body)
    assert refused.value.reason == reason


@given(ANY_JSON)
def test_any_json_has_a_meta_or_is_refused(body: object) -> None:
    try:
        told = read_meta(body).name
    except ParseError as error:
        told = error.reason.removeprefix("json: cannot unmarshal ")
        assert told != error.reason  # noqa: PT017  both outcomes are fine
    assert isinstance(told, str)


def test_a_body_of_another_resource_than_the_url_is_reported_field_by_field() -> None:
    meta = ResourceMeta(type="Mesh", mesh="m2", name="b")
    found = url_violations(meta, ResourceKey("Dataplane", "m1", "a"))
    assert found == [
        Violation("name", "name from the URL has to be the same as in body"),
        Violation("type", "type from the URL has to be the same as in body"),
        Violation("mesh", "mesh from the URL has to be the same as in body"),
    ]


def test_the_mesh_in_the_body_of_a_global_type_means_nothing() -> None:
    meta = ResourceMeta(type="Zone", mesh="m2", name="a")
    assert url_violations(meta, ResourceKey("Zone", "", "a")) == []


def test_a_name_that_is_no_dns_label_is_deprecated_where_it_becomes_dns() -> None:
    assert name_warning("Mesh", "aa.a") == (
        "Invalid Mesh resource name: 'aa.a'. It does not conform to the DNS format (RFC 1035). "
        "This is deprecated. Errors: a DNS-1035 label must consist of lower case alphanumeric "
        "characters or '-', start with an alphabetic character, and end with an alphanumeric "
        "character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
        "'[a-z]([-a-z0-9]*[a-z0-9])?')"
    )
    assert name_warning("Mesh", "aa-a") is None
    assert name_warning("MeshTimeout", "aa.a") is None


@pytest.mark.parametrize("resource_type", ["Zone", "MeshService", "MeshMultiZoneService"])
def test_services_and_zones_are_named_in_dns_too(resource_type: str) -> None:
    warning = name_warning(resource_type, "0-starts-with-a-digit")
    assert warning is not None
    assert warning.startswith(f"Invalid {resource_type} resource name:")


def test_a_long_label_is_reported_for_its_length() -> None:
    assert label_1035_reasons("a" * 64) == ("must be no more than 63 characters",)
    assert len(label_1035_reasons("A" * 64)) == 2
    warning = name_warning("Zone", "0" * 64)
    assert warning is not None
    assert "Errors: must be no more than 63 characters; a DNS-1035 label must" in warning


def test_a_resource_knows_its_key() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    resource = Resource(
        type="Zone",
        mesh="",
        name="east",
        labels={},
        spec=None,
        created_at=at,
        modified_at=at,
        version=1,
    )
    assert resource.key == ResourceKey("Zone", "", "east")


def test_keys_sort_by_type_mesh_and_name() -> None:
    keys = [ResourceKey("B", "a", "a"), ResourceKey("A", "b", "a"), ResourceKey("A", "a", "b")]
    assert sorted(keys) == [keys[2], keys[1], keys[0]]
