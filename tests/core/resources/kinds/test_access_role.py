"""AccessRole and AccessRoleBinding as clients put them."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.access_role import BINDING_KIND, KIND, WARNINGS_MAX
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX, Violation

ROLE: dict[str, object] = {
    "rules": [
        {
            "types": ["TrafficPermission"],
            "names": ["res-1"],
            "mesh": "default",
            "access": ["CREATE", "GENERATE_DATAPLANE_TOKEN"],
            "when": [
                {
                    "sources": {"match": {"kuma.io/service": "web"}},
                    "destinations": {"match": {"kuma.io/service": "api"}},
                },
                {"selectors": {"match": {"kuma.io/service": "web"}}},
                {"dpToken": {"tags": [{"name": "kuma.io/service", "value": "web"}]}},
                {
                    "targetRef": {"kind": "MeshService", "name": "web"},
                    "from": {"targetRef": {"kind": "Mesh"}},
                    "to": {"targetRef": {"kind": "MeshService", "name": "api"}},
                },
            ],
        }
    ]
}
BINDING: dict[str, object] = {
    "subjects": [{"type": "Group", "name": "team-a"}, {"type": "User", "name": "john"}],
    "roles": ["admin"],
}


def test_a_role_is_given_back_as_it_was_put() -> None:
    role = KIND.parse({"type": "AccessRole", "name": "x", **ROLE})
    assert KIND.render(role) == ROLE
    assert not KIND.validate(role)


def test_a_binding_is_given_back_as_it_was_put() -> None:
    binding = BINDING_KIND.parse({"type": "AccessRoleBinding", "name": "x", **BINDING})
    assert BINDING_KIND.render(binding) == BINDING
    assert not BINDING_KIND.validate(binding)


def test_a_role_and_a_binding_may_be_empty() -> None:
    assert KIND.render(KIND.parse({})) == {}
    assert not KIND.validate(KIND.parse({}))
    assert not BINDING_KIND.validate(BINDING_KIND.parse({}))


def test_all_that_is_wrong_with_a_role_is_reported() -> None:
    tags = [{"name": "", "value": "x"}, {"name": "x"}]
    rules: list[object] = [
        {"access": []},
        {"access": ["CREATE", "EVERYTHING"], "when": [{"dpToken": {"tags": tags}}]},
    ]
    violations = KIND.validate(KIND.parse({"rules": rules}))
    assert [each.field for each in violations] == [
        "rules[0].access",
        "rules[1].access[1]",
        "rules[1].when[0].dpToken.tags[0].name",
        "rules[1].when[0].dpToken.tags[1].value",
    ]
    assert violations[1].message.startswith("must be one of CREATE, UPDATE, DELETE")


def test_all_that_is_wrong_with_a_binding_is_reported() -> None:
    binding = BINDING_KIND.parse({"subjects": [{"type": "Robot"}], "roles": ["admin", ""]})
    assert list(BINDING_KIND.validate(binding)) == [
        Violation("subjects[0].type", "must be one of User, Group"),
        Violation("subjects[0].name", "cannot be empty"),
        Violation("roles[1]", "cannot be empty"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"rules": {}},
        {"rules": [1]},
        {"rules": [{"access": "CREATE"}]},
        {"rules": [{"access": [1]}]},
        {"rules": [{"when": [{"dpToken": []}]}]},
    ],
)
def test_another_shape_cannot_be_read(document: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        KIND.parse(document)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"type": ["Mesh"]}, "rules[1].type"),
        ({"Types": ["Mesh"]}, "rules[1].Types"),
        ({"when": [{"destination": {"match": {"s": "x"}}}]}, "rules[1].when[0].destination"),
        ({"when": [{}, {"targetRef": {"Kind": "Mesh"}}]}, "rules[1].when[1].targetRef.Kind"),
        ({"when": [{"sources": {"tags": {"s": "x"}}}]}, "rules[1].when[0].sources.tags"),
        ({"when": [{"target_ref": None}]}, "rules[1].when[0].target_ref"),
        ({"when": [{"dpToken": {"tags": [{"key": "s"}]}}]}, "rules[1].when[0].dpToken.tags[0].key"),
    ],
)
def test_a_slip_in_a_rule_is_refused_rather_than_making_it_wider(
    rule: dict[str, object], place: str
) -> None:
    rules = [{"access": ["CREATE"]}, {"access": ["CREATE"], **rule}]
    with pytest.raises(InvalidResourceError) as caught:
        KIND.parse({"type": "AccessRole", "name": "x", "more": 1, "rules": rules})
    (violation,) = caught.value.violations
    assert violation.field == place
    assert violation.message.startswith("is no member of a rule. ")


def test_of_very_many_mistakes_the_first_are_reported() -> None:
    rules = [{"access": ["CREATE"], "Names": []}] * 2 * VIOLATIONS_MAX
    with pytest.raises(InvalidResourceError) as caught:
        KIND.parse({"rules": rules})
    assert len(caught.value.violations) == VIOLATIONS_MAX + 1


def test_a_role_warns_of_conditions_that_nothing_fulfils() -> None:
    sound = {"targetRef": {"kind": "Mesh"}, "to": {"targetRef": {"kind": "MeshService"}}}
    tags = {"match": {"s": "x"}}
    void: list[object] = [
        {},
        {"targetRef": {}},
        {"sources": {}, "destinations": tags},
        {"sources": tags, "targetRef": {"kind": "Mesh"}},
        {"dpToken": {}},
    ]
    role = KIND.parse({"rules": [{"access": ["CREATE"], "when": [sound, *void]}]})
    assert not KIND.validate(role)
    warnings = KIND.warnings(role)
    assert [line.partition(" ")[0] for line in warnings] == [
        f"rules[0].when[{number}]" for number in range(1, len(void) + 1)
    ]
    assert all(" is never fulfilled: it asks for nothing, or " in line for line in warnings)
    many = KIND.parse({"rules": [{"access": ["CREATE"], "when": void * WARNINGS_MAX}]})
    assert len(KIND.warnings(many)) == WARNINGS_MAX
