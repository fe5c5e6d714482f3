from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.request import (
    FIELDS_MAX,
    MESH_CHARACTERS_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
    AdmissionRequest,
    InvalidRequest,
    parse,
)
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.resources.meta import NAME_CHARACTERS_MAX

SHORT = {"mesh": "default", "name": "backend-1"}


def dataplane(**networking: object) -> dict[str, object]:
    return {
        "dataplane": {
            "type": "Dataplane",
            "mesh": "default",
            "name": "backend-1",
            "networking": networking,
        }
    }


def inbound(**tags: str) -> dict[str, object]:
    return {"port": 8080, "tags": {"kuma.io/service": "backend", **tags}}


def violations(document: object) -> list[tuple[str, str]]:
    invalid = parse(document)
    assert isinstance(invalid, InvalidRequest)
    return [(violation.field, violation.message) for violation in invalid.violations]


def fields(document: object) -> list[str]:
    return [field for field, _ in violations(document)]


def test_the_short_form_names_a_sidecar_and_its_tags() -> None:
    assert parse({**SHORT, "tags": {"kuma.io/service": "backend"}}) == AdmissionRequest(
        "default", "backend-1", ProxyKind.SIDECAR, ({"kuma.io/service": "backend"},)
    )


def test_tags_may_be_left_out() -> None:
    assert parse(SHORT) == AdmissionRequest("default", "backend-1", ProxyKind.SIDECAR, ({},))


def test_what_a_client_says_of_its_process_is_ignored() -> None:
    assert parse({**SHORT, "pid": 1, "uid": 0, "gid": 0, "unit": "root.service"}) == parse(SHORT)


def test_an_unknown_field_of_the_short_form_is_named() -> None:
    assert violations({**SHORT, "kind": "zone-egress"}) == [
        ("kind", "unknown field; known are mesh, name, tags")
    ]


def test_there_is_no_way_to_ask_for_a_kind() -> None:
    for flag in ("kind", "counted", "gateway", "type"):
        assert fields({**SHORT, flag: "builtin-gateway"}) == [flag]


def test_very_many_unknown_fields_are_counted_not_listed() -> None:
    document = {**SHORT, **{f"f{number}": 1 for number in range(FIELDS_MAX + 1)}}

    assert violations(document) == [
        ("", f"{FIELDS_MAX + 1} unknown fields; known are mesh, name, tags")
    ]


def test_the_answer_does_not_repeat_a_field_name_of_any_length() -> None:
    (field,) = fields({**SHORT, "x" * 60_000: 1})

    assert len(field) < 100


def test_every_violation_is_reported_at_once() -> None:
    document = {"mesh": "Default", "name": "", "tags": {"": "x", "a": "", "b": 1}, "x": 1}

    assert fields(document) == ["x", "mesh", "name", 'tags[""]', 'tags["a"]', 'tags["b"]']


@pytest.mark.parametrize("document", [None, [], "default", 1, True, [SHORT]])
def test_a_body_that_is_no_object_is_refused_as_a_whole(document: object) -> None:
    assert violations(document) == [("", "the body must be a JSON object")]


@pytest.mark.parametrize(
    "name", ["a", "0", "backend-1", "backend.default", "a" * NAME_CHARACTERS_MAX, "a--b", "1.2.3"]
)
def test_a_name_is_a_lower_case_dns_subdomain(name: str) -> None:
    assert isinstance(parse({**SHORT, "name": name}), AdmissionRequest)


@pytest.mark.parametrize(
    "name",
    ["A", "a_b", "-a", "a-", ".a", "a.", "a..b", "a b", "a\n", "a/b", "é", "ａ", "٣", "a\x00"],
)
def test_any_other_name_is_refused(name: str) -> None:
    ((field, reason),) = violations({**SHORT, "name": name})

    assert field == "name"
    assert "RFC 1123" in reason


def test_a_name_has_at_most_253_characters() -> None:
    assert violations({**SHORT, "name": "a" * 254}) == [
        ("name", "value length must less or equal 253")
    ]


@pytest.mark.parametrize("value", [1, True, [], {}, ["default"], 1.5])
@pytest.mark.parametrize("field", ["mesh", "name"])
def test_mesh_and_name_are_strings(field: str, value: object) -> None:
    assert violations({**SHORT, field: value}) == [(field, "must be a string")]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("field", ["mesh", "name"])
def test_mesh_and_name_are_required(field: str, value: object) -> None:
    assert violations({**SHORT, field: value}) == [(field, "cannot be empty")]


@pytest.mark.parametrize("mesh", ["Default", "a b", "a/b", "a\n", "é"])
def test_a_mesh_name_has_a_small_alphabet(mesh: str) -> None:
    assert fields({**SHORT, "mesh": mesh}) == ["mesh"]


def test_a_mesh_name_has_at_most_63_characters() -> None:
    assert isinstance(parse({**SHORT, "mesh": "m" * MESH_CHARACTERS_MAX}), AdmissionRequest)
    assert fields({**SHORT, "mesh": "m" * (MESH_CHARACTERS_MAX + 1)}) == ["mesh"]


@pytest.mark.parametrize("tags", ["a", 1, [], True])
def test_tags_are_an_object(tags: object) -> None:
    assert violations({**SHORT, "tags": tags}) == [("tags", "must be an object of strings")]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("", "x", "tag name must be non-empty"),
        ("x", "", "tag value must be non-empty"),
        ("x", 1, "tag value must be a string"),
        ("x", None, "tag value must be a string"),
        ("x", {"y": "z"}, "tag value must be a string"),
        (
            "x y",
            "z",
            "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores",
        ),
        (
            "x",
            "y/z",
            "tag value must consist of alphanumeric characters, dots, dashes and underscores",
        ),
        (
            "x",
            "y\n",
            "tag value must consist of alphanumeric characters, dots, dashes and underscores",
        ),
        (
            "x",
            "y" * (TAG_CHARACTERS_MAX + 1),
            f"tag name and value cannot be longer than {TAG_CHARACTERS_MAX} characters",
        ),
    ],
)
def test_a_tag_that_cannot_be_used_is_named_with_its_reason(
    name: str, value: object, reason: str
) -> None:
    assert violations({**SHORT, "tags": {name: value}}) == [(f'tags["{name}"]', reason)]


def test_a_tag_may_have_the_longest_name_and_value() -> None:
    longest = "t" * TAG_CHARACTERS_MAX

    assert isinstance(parse({**SHORT, "tags": {longest: longest}}), AdmissionRequest)


def test_a_set_of_tags_is_bounded() -> None:
    tags = {f"t{number}": "x" for number in range(TAGS_MAX)}

    assert isinstance(parse({**SHORT, "tags": tags}), AdmissionRequest)
    assert violations({**SHORT, "tags": {**tags, "one": "more"}}) == [
        ("tags", f"cannot hold more than {TAGS_MAX} tags")
    ]


def test_a_dataplane_with_inbounds_is_a_sidecar() -> None:
    document = dataplane(inbound=[inbound(), inbound(version="v1")])
    resource = document["dataplane"]
    assert isinstance(resource, dict)
    request = parse(document)

    assert request == AdmissionRequest(
        "default",
        "backend-1",
        ProxyKind.SIDECAR,
        ({"kuma.io/service": "backend"}, {"kuma.io/service": "backend", "version": "v1"}),
        resource,
    )


@pytest.mark.parametrize(
    ("gateway", "kind"),
    [
        ({}, ProxyKind.DELEGATED_GATEWAY),
        ({"type": None}, ProxyKind.DELEGATED_GATEWAY),
        ({"type": "DELEGATED"}, ProxyKind.DELEGATED_GATEWAY),
        ({"type": 0}, ProxyKind.DELEGATED_GATEWAY),
        ({"type": "BUILTIN"}, ProxyKind.BUILTIN_GATEWAY),
        ({"type": 1}, ProxyKind.BUILTIN_GATEWAY),
    ],
)
def test_the_gateway_section_decides_the_kind(gateway: object, kind: ProxyKind) -> None:
    request = parse(dataplane(gateway=gateway))

    assert isinstance(request, AdmissionRequest)
    assert request.kind is kind
    assert not request.kind.counted


@pytest.mark.parametrize("gateway_type", ["builtin", "SIDECAR", "", 2, -1, True, 1.5, [], {}])
def test_an_unknown_gateway_type_is_refused(gateway_type: object) -> None:
    assert fields(dataplane(gateway={"type": gateway_type})) == ["networking.gateway.type"]


@pytest.mark.parametrize(("gateway_type", "word"), [("BUILTIN", "builtin"), (None, "delegated")])
def test_a_sidecar_does_not_get_out_of_counting_by_a_gateway_section(
    gateway_type: str | None, word: str
) -> None:
    document = dataplane(gateway={"type": gateway_type}, inbound=[inbound()])

    assert violations(document) == [
        ("networking.inbound", f"inbound cannot be defined for {word} gateways")
    ]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({}, ["type", "mesh", "name", "networking"]),
        ({"type": "ZoneEgress"}, ["type", "mesh", "name", "networking"]),
        ("Dataplane", ["dataplane"]),
        (None, ["dataplane"]),
        ({"type": "Dataplane", "mesh": "m", "name": "n", "networking": []}, ["networking"]),
        ({"type": "Dataplane", "mesh": "m", "name": "n", "networking": {}}, ["networking"]),
    ],
)
def test_a_dataplane_that_does_not_say_what_it_is_is_refused(
    resource: object, expected: list[str]
) -> None:
    assert fields({"dataplane": resource}) == expected


@pytest.mark.parametrize(
    ("networking", "expected"),
    [
        ({"inbound": "x"}, ["networking.inbound", "networking"]),
        ({"inbound": ["x"]}, ["networking.inbound[0]"]),
        (
            {"inbound": [inbound(), {"tags": {"a": ""}}]},
            ['networking.inbound[1].tags["a"]'],
        ),
        ({"gateway": []}, ["networking.gateway"]),
        ({"gateway": {"tags": {"a": 1}}}, ['networking.gateway.tags["a"]']),
    ],
)
def test_paths_are_those_of_the_resource(
    networking: dict[str, object], expected: list[str]
) -> None:
    assert fields(dataplane(**networking)) == expected


def test_violations_of_a_dataplane_are_distinguished_from_those_of_the_request() -> None:
    of_resource = parse({"dataplane": {}})
    of_request = parse({"dataplane": {}, "mesh": "default"})

    assert isinstance(of_resource, InvalidRequest)
    assert isinstance(of_request, InvalidRequest)
    assert (of_resource.of_dataplane, of_request.of_dataplane) == (True, False)
    assert [violation.field for violation in of_request.violations] == ["mesh"]


def test_fields_that_decide_nothing_here_are_left_to_the_resource() -> None:
    document = dataplane(inbound=[inbound()], address="nonsense", transparentProxying=1)

    assert isinstance(parse(document), AdmissionRequest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["mesh", "name", "tags", "dataplane", "type", "networking", "inbound", "gateway"]
            )
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=24,
)


@given(JSON)
def test_no_value_gets_through_that_a_seat_could_not_carry(document: object) -> None:
    result = parse(document)

    if isinstance(result, InvalidRequest):
        assert result.violations
        return
    assert result.mesh
    assert result.name == result.name.lower()
    assert all(json.loads(json.dumps(dict(tags))) == tags for tags in result.tag_sets)
    assert not any(c in '"\\\n' or not c.isprintable() for c in result.mesh + result.name)
