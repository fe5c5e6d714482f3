"""Templates of host names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go_template import FUNCTIONS as FILLING
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


@pytest.mark.parametrize(
    "template",
    [
        "{{if .a}}1{{end}}",
        "{{- if .a -}} 1 {{- else -}} 2 {{- end -}}",
        "{{if .a}}1{{else if .b | not}}2{{else}}3{{end}}",
        "{{if .a}}{{if .b}}1{{end}}{{end}}",
        '{{if eq .a "x"}}1{{end}}',
    ],
)
def test_conditions_are_taken_where_they_are_asked_for(template: str) -> None:
    assert template_fault(template, FILLING, conditions=True) is None
    assert template_fault(template, FUNCTIONS) is not None


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{{end}}", ":1: unexpected {{end}}"),
        ("{{else}}", ":1: unexpected {{else}}"),
        ("{{if}}1{{end}}", ":1: missing value for if"),
        ("{{if .a}}1{{else if}}2{{end}}", ":1: missing value for if"),
        ("{{if .a}}\n1", ":2: unexpected EOF"),
        ("{{if .a}}1{{end}}{{end}}", ":1: unexpected {{end}}"),
        ("{{if .a}}1{{else}}2{{else}}3{{end}}", ":1: expected end; found {{else}}"),
        ("{{if .a}}1{{end x}}", ':1: unexpected "x" in end'),
        ("{{if .a}}1{{else x}}2{{end}}", ':1: unexpected "x" in else'),
        ("\n{{if .a}}\n{{foo}}{{end}}", ':3: function "foo" not defined'),
        ("{{iffy}}", ':1: function "iffy" not defined'),
    ],
)
def test_a_condition_that_stands_wrong_is_told_in_the_words_of_go(
    template: str, fault: str
) -> None:
    assert template_fault(template, FILLING, conditions=True) == f"template: {fault}"


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
