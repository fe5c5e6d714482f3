"""Templates make host names of what is known of a service, or say where they fail.

Source: docs/wire/services.md#host-names
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.formats.go.go_template import TEMPLATE_CHARACTERS_MAX
from kong_mesh_cp.core.meshes.services.hostname_templates import (
    NamedService,
    TemplateError,
    host_name,
)

SERVICE = NamedService(
    Name="payments.west", DisplayName="payments", Namespace="", Mesh="shop", Zone="west"
)
LABELS = {"team": "billing", "billing": "B", "payments": "P"}


def made(template: str) -> str:
    return host_name(template, SERVICE, LABELS)


def fault(template: str) -> str:
    with pytest.raises(TemplateError) as caught:
        made(template)
    text = str(caught.value)
    head = 'pre evaluation of template with parameters failed with error="template: :'
    assert text.startswith(head)
    assert text.endswith('"')
    return text.removeprefix(head).removesuffix('"')


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("same.mesh", "same.mesh"),
        ("{{ .DisplayName }}.svc.mesh.local", "payments.svc.mesh.local"),
        ("{{.Name}}.{{.Mesh}}.{{.Zone}}", "payments.west.shop.west"),
        ("{{ .Namespace }}x", "x"),
        ('{{ .DisplayName }}.{{ label "team" }}.corp', "payments.billing.corp"),
        ("{{ label `team` }}", "billing"),
        ("{{ label .DisplayName }}", "P"),
        ('{{ "team" | label }}', "billing"),
        ('{{ label "team" | label }}', "B"),
        ("a {{- .Mesh -}} b", "ashopb"),
        ("{{/* nothing */}}q", "q"),
        ("{{ `raw` }}.{{ 12 }}", "raw.12"),
        ("{{ . }}", "{payments.west payments  shop west}"),
        ("", ""),
    ],
)
def test_a_template_is_filled_in(template: str, name: str) -> None:
    assert made(template) == name


@pytest.mark.parametrize(
    ("template", "where"),
    [
        (
            'x.{{ label "zz" }}',
            r"1:5: executing \"\" at <label \"zz\">: error calling label: label zz not found",
        ),
        (
            "é\n {{ label `zz` }}",
            r"2:4: executing \"\" at <label `zz`>: error calling label: label zz not found",
        ),
        (
            "{{ .Foo }}",
            r"1:3: executing \"\" at <.Foo>: can't evaluate field Foo in type hostname.meshedName",
        ),
        (
            "a{{ .Name.Foo }}",
            r"1:9: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type string",
        ),
        (
            "{{ label }}",
            r"1:3: executing \"\" at <label>: wrong number of args for label: want 1 got 0",
        ),
        (
            '{{ label "a" "b" }}',
            r"1:3: executing \"\" at <label>: wrong number of args for label: want 1 got 2",
        ),
        (
            "{{ label 3 }}",
            r"1:9: executing \"\" at <3>: expected string; found 3",
        ),
        (
            '{{ .Name "x" }}',
            r"1:3: executing \"\" at <.Name>: Name has arguments but cannot be invoked as function",
        ),
        (
            '{{ "a" .Name }}',
            r"1:3: executing \"\" at <\"a\">: can't give argument to non-function \"a\"",
        ),
    ],
)
def test_what_fails_is_told_with_its_place(template: str, where: str) -> None:
    assert fault(template) == where


def test_a_template_that_is_too_long_is_not_run() -> None:
    with pytest.raises(TemplateError, match="too long"):
        made("x" * (TEMPLATE_CHARACTERS_MAX + 1))
