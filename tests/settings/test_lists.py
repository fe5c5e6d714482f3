"""A list in any form that people write it in is read right, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.settings import lists
from kong_mesh_cp.settings.model import rows, value_at
from kong_mesh_cp.settings.options import Row
from support.specs.configurations import loaded, problems, toml

WORDS = {
    id(lists.NAMES): ("ops", "sec"),
    id(lists.VERDICTS): ("allowed", "denied"),
    id(lists.CIPHER_SUITES): (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ),
    id(lists.ORIGINS): ("https://a[.]example", "https://b{1,3}[.]example"),
}
LISTS = [row for row in rows() if id(row.option.form) in WORDS]
PAIRS = {
    "admission.meshQuotas"
}  # each word is a mesh and a number: tests/settings/test_mesh_quotas
TABLES = [
    row
    for row in rows()
    if isinstance(row.default, tuple) and row not in LISTS and row.path not in PAIRS
]


def _named(row: Row) -> str:
    return row.path


@pytest.fixture(params=LISTS, ids=_named)
def row(request: pytest.FixtureRequest) -> Row:
    assert isinstance(request.param, Row)
    return request.param


def _read(row: Row, text: str) -> object:
    assert row.option.environment
    found = loaded(environ={row.option.environment: text})
    return value_at(found.settings, row.attributes)


def test_every_setting_that_is_a_list_is_known_here() -> None:
    assert len(LISTS) > 20
    assert {row.path for row in TABLES} == {
        "admission.rules",
        "apiServer.authn.tokens.validator.publicKeys",
        "dpServer.authn.dpProxy.dpToken.validator.publicKeys",
        "dpServer.authn.zoneProxy.zoneToken.validator.publicKeys",
        "ipam.knownInternalCIDRs",
        "monitoringAssignmentServer.apiVersions",  # one value is all there is
    }


@pytest.mark.parametrize("form", ["{0}", '["{0}"]', ' [ "{0}" ] ', " {0} ", "{0}\n"])
def test_one_is_read_in_every_form(row: Row, form: str) -> None:
    word = WORDS[id(row.option.form)][0]
    assert _read(row, form.replace("{0}", word)) == (word,)


@pytest.mark.parametrize("form", ['["{0}","{1}"]', '["{0}", "{1}"]', '[\n  "{0}",\n  "{1}"\n]\n'])
def test_json_is_read(row: Row, form: str) -> None:
    one, other = WORDS[id(row.option.form)]
    assert _read(row, form.replace("{0}", one).replace("{1}", other)) == (one, other)


@pytest.mark.parametrize("form", ["{0},{1}", "{0}, {1}", " {0} ,{1} "])
def test_commas_part(row: Row, form: str) -> None:
    one, other = WORDS[id(row.option.form)]
    if "," in other:  # a comma inside of a pattern
        other = one
    assert _read(row, form.replace("{0}", one).replace("{1}", other)) == (one, other)


@pytest.mark.parametrize(
    "form",
    [
        *("{0};{1}", "{0}; {1}", "{0} {1}", "{0}\t{1}", "{0}\n{1}", "{0},\n{1},", "{0},,{1}"),
        *("{0},", ",{0}", "[{0},{1}]", "[{0} {1}]", "['{0}','{1}']", '"{0}","{1}"', "'{0},{1}'"),
        *(
            '"{0}"',
            "“{0}”",
            '["{0}",',
            '{"{0}":"{1}"}',
            '["{0}",["{1}"]]',
            '["{0}",1]',
            "- {0}\n- {1}",
        ),
        *(
            '[" {0}"]',
            '["{0};{1}"]',
            "$({0})",
            "${0}",
            "{{ {0} }}",
            "{0},eyJhbGciOiJSUzI1NiJ9.e30x.x",
        ),
    ],
)
def test_any_other_form_is_refused_by_name(row: Row, form: str) -> None:
    one, other = WORDS[id(row.option.form)]
    text = form.replace("{0}", one).replace("{1}", other)
    variable = row.option.environment
    assert variable is not None
    found = problems(environ={variable: text})
    assert [problem.code for problem in found] == ["config-value"], _read(row, text)
    assert found[0].message.startswith(variable)
    assert found[0].remedy
    assert "eyJ" not in found[0].line
    assert one not in found[0].message or row.option.form is lists.VERDICTS


@pytest.mark.parametrize("text", ["cn=ops,ou=groups,dc=example", "Domain Admins"])
def test_a_name_with_blanks_or_commas_is_written_as_json(row: Row, text: str) -> None:
    if row.option.form is not lists.NAMES:
        pytest.skip("not of names")
    (problem,) = problems(environ={row.option.environment or "": text})
    assert 'write the list as JSON: ["one","other"]' in problem.remedy
    assert _read(row, f'["{text}"]') == (text,)


def test_a_comma_inside_of_a_pattern_needs_json() -> None:
    (problem,) = problems(
        environ={"KUMA_API_SERVER_CORS_ALLOWED_DOMAINS": "https://b{1,3}[.]example"}
    )
    assert "JSON" in problem.remedy


@pytest.mark.parametrize(
    "value", ['"ops;sec"', '["ops;sec"]', '["[ops"]', "[\"'ops'\"]", '[" ops"]', "[1]"]
)
def test_a_list_of_a_file_is_looked_at_as_well(tmp_path: Path, value: str) -> None:
    (problem,) = problems(toml(tmp_path, f"[access.static.adminResources]\ngroups = {value}\n"))
    assert problem.code == "config-value"
    assert "access.static.adminResources.groups" in problem.message


@pytest.mark.parametrize("row", TABLES, ids=_named)
@pytest.mark.parametrize("value", ['"ops,sec"', '\'[{"kid": "1"}]\'', "{kid = '1'}", "[['x']]"])
def test_a_list_of_tables_is_nothing_else(tmp_path: Path, row: Row, value: str) -> None:
    section, _, key = row.path.rpartition(".")
    (problem,) = problems(toml(tmp_path, f"[{section}]\n{key} = {value}\n"))
    assert problem.code == "config-value"
    assert row.path in problem.message
