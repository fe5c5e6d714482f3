"""Templates of host names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go_template import TEMPLATE_CHARACTERS_MAX, template_fault
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.suites.validation_cases import violations_of

FUNCTIONS = frozenset({"label"})


@pytest.mark.parametrize(
    "template",
    [
        "plain.mesh",
        "{{ .DisplayName }}.svc.mesh.local",
        "{{.Name}}.{{.Namespace}}.mesh",
        '{{ label "team" }}.mesh',
        "{{ label `team` }}.mesh",
        "{{- .Name -}}.mesh",
        '{{ "team" | label }}.mesh',
        "{{/* why */}}a.mesh",
        "}} a",
    ],
)
def test_a_template_that_go_takes(template: str) -> None:
    assert template_fault(template, FUNCTIONS) is None


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{ .Name[4 }}", "bad character U+005B '['"),
        ("a\n{{ .Name", "unclosed action"),
        ("{{", "unclosed action"),
        ("{{ ", "unclosed action"),
        ("{{ }}", "missing value for command"),
        ("{{ .Name | }}", "missing value for command"),
        ("{{ name }}", 'function "name" not defined'),
        ('{{ label "team }}', "unterminated quoted string"),
        ("{{ label `team }}", "unterminated raw quoted string"),
        ("{{ # }}", "unexpected bad character U+0023 '#' in command"),
    ],
)
def test_a_template_that_go_refuses(template: str, fault: str) -> None:
    line = template.count("\n") + 1

    assert template_fault(template, FUNCTIONS) == f"template: :{line}: {fault}"


@given(st.text(alphabet="{}.-|`\"' label/*\n#", max_size=30))
def test_any_text_gets_an_answer(template: str) -> None:
    fault = template_fault(template, FUNCTIONS)

    assert fault is None or fault.startswith("template: :")


def test_the_template_of_a_generator_has_a_bounded_length() -> None:
    def found(template: str) -> list[tuple[str, str]]:
        selector = {"meshService": {"matchLabels": {"a": "b"}}}
        spec = {"selector": selector, "template": template}
        body = {"type": "HostnameGenerator", "name": "a", "spec": spec}
        return violations_of(KINDS["HostnameGenerator"], body)

    longest = "a" * TEMPLATE_CHARACTERS_MAX
    assert found(longest) == []
    assert found(f"{longest}a") == [("spec.template", "must not have more than 4096 characters")]
