"""The body around a spec, and which of its faults are told first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.policy.kinds import mesh_timeout
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.schema.record_terms import Duration
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX, Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    name: str = ""
    wait: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    ready: bool = False


KIND = plugin_kind(
    "Thing",
    Spec,
    lambda spec: [root("spec").violation("too short")] if not spec.name else [],
    lambda spec: ["old"] if spec.name == "old" else [],
    name_violations=lambda name, shown: (
        [Violation("name", "too long")] if len(name) > 3 or len(shown) > 4 else []
    ),
    status_type=Status,
)


def body(**members: object) -> dict[str, object]:
    return {"type": "Thing", "mesh": "m", "name": "n", "spec": {"name": "x"}, **members}


def refused(document: dict[str, object]) -> set[tuple[str, str]]:
    with pytest.raises(InvalidResourceError) as refusal:
        KIND.parse(document)
    return {(v.field, v.message) for v in refusal.value.violations}


def test_a_body_is_read_by_its_spec_alone() -> None:
    assert KIND.parse(body()) == Spec(name="x")
    assert KIND.parse({"type": "Thing", "name": "n", "spec": {}}) == Spec()


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"type": "Other"}, "type in body should be one of [Thing]"),
        ({"name": 1}, 'name in body must be of type string: "number"'),
        ({"mesh": []}, 'mesh in body must be of type string: "array"'),
        (
            {"labels": {"a": 1}},
            'labels.a in body must be of type string: "number": put it between quotes',
        ),
        ({"labels": "a"}, 'labels in body must be of type object: "string"'),
        ({"spec": None}, 'spec in body must be of type object: "null"'),
        ({"creationTime": "now"}, 'creationTime in body must be of type date-time: "now"'),
        ({"status": {"ready": 1}}, 'status.ready in body must be of type boolean: "number"'),
    ],
)
def test_what_is_wrong_outside_of_the_spec_is_one_text(
    members: dict[str, object], text: str
) -> None:
    assert refused(body(**members)) == {("", text)}


def test_a_type_that_is_no_text_breaks_both_rules() -> None:
    assert refused(body(type=1)) == {
        ("", 'type in body must be of type string: "number"'),
        ("", "type in body should be one of [Thing]"),
    }


@pytest.mark.parametrize("member", ["type", "name", "spec"])
def test_a_body_needs_type_name_and_spec(member: str) -> None:
    document = body()
    del document[member]

    assert refused(document) == {("", f".{member} in body is required")}


@pytest.mark.parametrize("text", ["2026-01-01T10:00:00Z", "0001-01-01T00:00:00Z"])
def test_times_of_the_server_may_come_back_to_it(text: str) -> None:
    assert KIND.parse(body(creationTime=text, modificationTime=text)) == Spec(name="x")


def test_faults_inside_and_outside_of_the_spec_are_reported_together() -> None:
    assert refused(body(name=1, spec={"name": 1})) == {
        ("", 'name in body must be of type string: "number"'),
        ("spec.name", 'in body must be of type string: "number"'),
    }


def test_a_duration_that_is_none_is_reported_when_the_schema_has_nothing_to_say() -> None:
    with pytest.raises(ParseError) as refusal:
        KIND.parse(body(spec={"wait": "5"}))
    assert refusal.value.reason == 'time: missing unit in duration "5"'
    assert refused(body(name=1, spec={"wait": "5"})) != set()


def test_the_rules_of_the_type_are_asked_with_the_spec() -> None:
    assert KIND.validate(Spec()) == (Violation("spec", "too short"),)
    assert KIND.validate(Spec(name="x")) == ()
    assert KIND.warnings(Spec(name="old")) == ("old",)
    assert KIND.validate_name("four", "") == (Violation("name", "too long"),)
    assert KIND.validate_name("", "five5") == (Violation("name", "too long"),)
    assert KIND.validate_name("one", "four") == ()


def test_the_spec_is_rendered_under_its_name() -> None:
    assert KIND.render(Spec(name="x", wait=0)) == {"spec": {"name": "x", "wait": "0s"}}


def test_a_status_is_read_from_the_body_and_absent_ones_are_empty() -> None:
    assert KIND.parse_status is not None
    assert KIND.render_status is not None
    assert KIND.parse_status(body(status={"ready": True})) == Status(ready=True)
    assert KIND.parse_status(body()) == Status()
    assert KIND.render_status(Status()) == {"ready": False}
    with pytest.raises(InvalidResourceError):
        KIND.parse_status(body(status={"ready": "yes"}))


def test_of_very_many_faults_the_first_are_reported_and_the_rest_is_not_read() -> None:
    spec = {"to": [1] * 100_000}

    with pytest.raises(InvalidResourceError) as refusal:
        mesh_timeout.KIND.parse({"type": "MeshTimeout", "name": "n", "spec": spec})

    told = refusal.value.violations
    assert len(told) == VIOLATIONS_MAX + 1
    assert told[0].field == "spec.to[0]"


def test_of_very_many_wrong_values_the_first_are_reported() -> None:
    entry = {"targetRef": {"kind": "MeshSubset"}, "default": {}}
    kind = mesh_timeout.KIND
    spec = kind.parse({"type": "MeshTimeout", "name": "n", "spec": {"to": [entry] * 2_000}})

    assert len(kind.validate(spec)) == VIOLATIONS_MAX + 1
