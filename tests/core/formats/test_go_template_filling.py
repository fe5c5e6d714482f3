"""Templates of host names and ports, filled in as Go fills them in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go_template import FUNCTIONS, filled, template_fault

VALUES = {"a": "1", "b": "2", "empty": ""}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.a}}-{{ .b }}", "1-2"),
        ("{{.c}}", "<no value>"),
        ("x {{- .a -}} y", "x1y"),
        ("{{/* why */}}x", "x"),
        ('{{"x"}}{{`y`}}{{8}}', "xy8"),
        ("{{if .a}}yes{{end}}", "yes"),
        ("{{if .c}}yes{{end}}", ""),
        ("{{if .empty}}yes{{else}}no{{end}}", "no"),
        ("{{if .c}}1{{else if .b}}2{{else}}3{{end}}", "2"),
        ("{{if .a}}1{{else if .b}}2{{else}}3{{end}}", "1"),
        ("{{if .c}}1{{else if .c}}2{{else}}3{{end}}", "3"),
        ("{{if .a}}{{if .c}}1{{else}}2{{end}}3{{end}}", "23"),
        ("{{if .c}}{{if .a}}1{{else}}2{{end}}3{{end}}4", "4"),
        ("{{if .a}} 1 {{- else -}} 2 {{end}}", " 1"),
        ('{{if eq .a "1"}}yes{{end}}', "yes"),
        ('{{if eq .a "0" "1"}}yes{{end}}', "yes"),
        ('{{if ne .a "1"}}yes{{else}}no{{end}}', "no"),
        ("{{if not .c}}yes{{end}}", "yes"),
        ("{{if .a | not}}yes{{else}}no{{end}}", "no"),
        ("{{and .a .b}}{{or .c .b}}", "22"),
        ("{{and .a .empty}}", ""),
        ('{{print .a "0"}}', "10"),
        ('{{.a | print "8"}}', "81"),
        ("{{not .a}}", "false"),
    ],
)
def test_fields_and_conditions_are_filled_in(template: str, text: str) -> None:
    assert filled(template, VALUES) == text
    assert template_fault(template, FUNCTIONS, conditions=True) is None


@pytest.mark.parametrize(
    "template",
    [
        "{{.a.b}}",
        "{{.}}",
        "{{if eq .a 1}}x{{end}}",
        '{{if eq .c "1"}}x{{end}}',
        "{{eq .a}}",
        '{{ne .a "1" "2"}}',
        "{{not .a .b}}",
        "{{.a .b}}",
        "{{print 1 2}}",
        "{{foo}}",
        "{{print}}",
        "{{print print}}",
        "{{if .a}}x",
        "{{end}}",
        "{{else}}",
        "{{",
        "{{ | .a}}",
        r'{{"\x41"}}',
        "{{}}",
    ],
)
def test_what_is_not_run_here_has_no_result(template: str) -> None:
    assert filled(template, VALUES) is None


@given(st.text(alphabet="{}.-|`\"' ifelsndotrqp/*\n1", max_size=40))
def test_any_text_gets_an_answer(template: str) -> None:
    assert isinstance(filled(template, VALUES), str | None)
