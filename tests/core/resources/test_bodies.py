"""Whole resources: what is read from a body, what is told of it, what is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.bodies import (
    Draft,
    bad_request_detail,
    read_draft,
    request_violations,
    show,
    shown_time,
)
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.violations import Violation

AT = datetime(2026, 1, 1, 10, 0, 0, tzinfo=UTC)
ZONE = Deployment()
BODY: dict[str, Any] = {
    "type": "Dataplane",
    "mesh": "m",
    "name": "a",
    "labels": {"team": "x"},
    "networking": {"address": "10.0.0.1"},
}


def draft_of(body: object, name: str = "Dataplane") -> Draft:
    return read_draft(KINDS[name], TYPES[name], body)


def test_a_body_has_a_meta_and_a_spec() -> None:
    draft = draft_of(BODY)
    assert draft.meta.labels == {"team": "x"}
    assert draft.spec.networking.address == "10.0.0.1"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {**BODY, "name": 1},
            (
                'invalid Dataplane object: "json: cannot unmarshal number into Go struct field '
                'ResourceMeta.name of type string"'
            ),
        ),
        (
            {**BODY, "networking": "x"},
            (
                'invalid Dataplane object: "json: cannot unmarshal string into Go value of type '
                'map[string]json.RawMessage"'
            ),
        ),
        (
            [],
            (
                'invalid Dataplane object: "json: cannot unmarshal array into Go value of type '
                'v1alpha1.ResourceMeta"'
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(body: object, detail: str) -> None:
    with pytest.raises(ParseError) as refused:
        draft_of(body)
    assert bad_request_detail(TYPES["Dataplane"], refused.value) == detail


def test_a_plugin_type_speaks_by_its_schema() -> None:
    with pytest.raises(InvalidResourceError):
        draft_of({"type": "MeshService", "name": "a"}, "MeshService")


@pytest.mark.parametrize(
    ("given", "mesh"), [({}, "default"), ({"mesh": None}, "default"), ({"mesh": "m"}, "m")]
)
def test_a_plugin_type_lies_in_the_default_mesh(given: dict[str, object], mesh: str) -> None:
    body = {"type": "MeshService", "name": "a", "spec": {}, **given}
    assert draft_of(body, "MeshService").meta.mesh == mesh


def test_an_older_type_names_its_mesh_itself() -> None:
    draft = draft_of({"type": "Dataplane", "name": "a"})
    found = request_violations(draft, TYPES["Dataplane"], ResourceKey("Dataplane", "m", "a"), ZONE)
    assert found == [
        Violation("mesh", "mesh from the URL has to be the same as in body"),
        Violation("mesh", "cannot be empty"),
    ]


def test_urls_come_before_labels_and_labels_before_names() -> None:
    body = {"type": "Dataplane", "mesh": "m", "name": "a b", "labels": {"kuma.io/mesh": "x"}}
    key = ResourceKey("Dataplane", "m", "a")
    found = request_violations(draft_of(body), TYPES["Dataplane"], key, ZONE)
    assert [each.field for each in found] == ["name", 'labels["kuma.io/mesh"]', "name"]


def test_a_federated_zone_puts_its_own_name_before_each() -> None:
    name = "a" * 248
    body = {"type": "Dataplane", "mesh": "m", "name": name}
    key = ResourceKey("Dataplane", "m", name)
    federated = Deployment(Mode.ZONE, "east", federated=True)
    row = TYPES["Dataplane"]
    assert request_violations(draft_of(body), row, key, ZONE) == []
    assert request_violations(draft_of(body), row, key, federated) == [
        Violation("name", "the length of the name must be shorter")
    ]


def test_the_length_of_a_name_is_reported_between_name_and_type() -> None:
    body = {"type": "Mesh", "mesh": "x", "name": "other"}
    key = ResourceKey("Dataplane", "m", "a" * 248)
    federated = Deployment(Mode.ZONE, "east", federated=True)
    found = request_violations(draft_of(body), TYPES["Dataplane"], key, federated)
    assert [each.message.partition(" from")[0] for each in found] == [
        "name",
        "the length of the name must be shorter",
        "type",
        "mesh",
    ]


def test_a_good_body_has_nothing_against_it() -> None:
    key = ResourceKey("Dataplane", "m", "a")
    assert request_violations(draft_of(BODY), TYPES["Dataplane"], key, ZONE) == []


def resource(name: str, mesh: str, spec: object, labels: dict[str, str]) -> Resource[object]:
    return Resource(
        type=name,
        mesh=mesh,
        name="a",
        labels=labels,
        spec=spec,
        created_at=AT,
        modified_at=AT + timedelta(seconds=1.5),
        version=1,
    )


def test_a_resource_is_shown_in_the_order_of_the_api() -> None:
    stored = resource("Dataplane", "m", draft_of(BODY).spec, {"b": "1", "a": "2"})
    assert json.dumps(show(stored, KINDS["Dataplane"])) == (
        '{"type": "Dataplane", "mesh": "m", "name": "a", '
        '"creationTime": "2026-01-01T10:00:00Z", "modificationTime": "2026-01-01T10:00:01.5Z", '
        '"labels": {"a": "2", "b": "1"}, "networking": {"address": "10.0.0.1"}}'
    )


def test_neither_an_empty_mesh_nor_empty_labels_are_shown() -> None:
    stored = resource("Zone", "", draft_of({"enabled": True}, "Zone").spec, {})
    assert list(show(stored, KINDS["Zone"])) == [
        "type",
        "name",
        "creationTime",
        "modificationTime",
        "enabled",
    ]


def test_a_status_is_shown_behind_the_spec_where_a_type_has_one() -> None:
    kind = KINDS["MeshService"]
    assert kind.parse_status is not None
    put = {"type": "MeshService", "mesh": "m", "name": "a", "spec": {}}
    status = kind.parse_status({**put, "status": {"vips": [{"ip": "241.0.0.1"}]}})
    stored = resource("MeshService", "m", kind.parse(put), {})
    assert "status" not in show(stored, kind)
    shown = show(replace(stored, status=status), kind)
    assert list(shown)[-2:] == ["spec", "status"]
    assert isinstance(shown["status"], dict)
    assert shown["status"]["vips"] == [{"ip": "241.0.0.1"}]


def test_a_status_of_a_type_that_has_none_is_not_shown() -> None:
    spec = draft_of({"enabled": True}, "Zone").spec
    stored = replace(resource("Zone", "", spec, {}), status=object())
    assert "status" not in show(stored, KINDS["Zone"])


HOSTILE = [
    b"null",
    b"[]",
    b"1",
    b'""',
    b"{}",
    b'{"type": null, "name": null, "spec": null, "networking": null}',
    b'{"type": 1}',
    b'{"name": {}}',
    b'{"labels": {"a": {}}}',
    b'{"networking": [[[[[[[[]]]]]]]]}',
    b'{"networking": {"inbound": [null, null]}}',
    b'{"networking": {"inbound": {"0": {}}}}',
    b'{"networking": {"inbound": [{"port": 1e400}]}}',
    b'{"networking": {"inbound": [{"port": 9999999999999999999}]}}',
    b'{"networking": {"inbound": [{"port": "0x50"}]}}',
    b'{"networking": {"inbound": [{"tags": {"": "", "\\u0000": "\\u0000"}}]}}',
    b'{"networking": {"address": "\\ud83d\\ude00"}}',
    b'{"spec": {"a": {"a": {"a": {"a": {}}}}}}',
    b'{"conf": {"http": {"rules": [{"matches": [{}]}]}}}',
    b'{"mtls": {"backends": [{"conf": {"a": [1, [2, [3]]]}}]}}',
    b'{"data": "////"}',
    b'{"selectors": "*"}',
    b'{"sources": [[]]}',
]


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_put_is_answered(name: str, text: bytes) -> None:
    key = ResourceKey(name, "m" if TYPES[name].is_mesh_scoped else "", "a")
    try:
        draft = draft_of(strict_json.parse(text), name)
    except (ParseError, InvalidResourceError, strict_json.StrictJsonError) as error:
        assert "\n" not in str(error)  # noqa: PT017  both outcomes are fine
        return
    told = [
        *request_violations(draft, TYPES[name], key, ZONE),
        *KINDS[name].validate(draft.spec),
    ]
    assert all(each.message and "\n" not in each.field for each in told)
    assert json.dumps(KINDS[name].render(draft.spec))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (AT, "2026-01-01T10:00:00Z"),
        (AT.replace(microsecond=120000), "2026-01-01T10:00:00.12Z"),
        (AT.replace(microsecond=1), "2026-01-01T10:00:00.000001Z"),
        (AT.astimezone(timezone(timedelta(hours=2))), "2026-01-01T10:00:00Z"),
    ],
)
def test_times_are_shown_as_go_shows_them(at: datetime, text: str) -> None:
    assert shown_time(at) == text
