"""What is written can be read again and means the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kong_mesh_cp.settings.documents import read_document
from kong_mesh_cp.settings.gathering import Gathering
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.options import Row
from kong_mesh_cp.settings.writing import converted, in_force, sample
from support.specs.configurations import kuma_yaml, loaded, toml

RULES = (
    '[[admission.rules]]\nunit = "a@*.service"\ntags = { "kuma.io/zone" = "east", team = "\\"x\\"" }\n'
    "[[admission.rules]]\nuid = 0\n"
)


def test_the_sample_changes_nothing(tmp_path: Path) -> None:
    found = loaded(toml(tmp_path, sample()))
    assert found.settings == loaded().settings
    assert found.warnings == ()
    assert set(found.origins.values()) == {"default", "environment HOME"}


def test_the_sample_with_every_line_in_use_changes_nothing_but_the_example_rule(
    tmp_path: Path,
) -> None:
    in_use = re.sub(r"(?m)^#(?! |\[\[|unit|mesh|name = \"\{|tags)", "", sample())
    found = loaded(toml(tmp_path, in_use))
    assert found.settings == loaded().settings
    assert found.origins["apiServer.http.port"].startswith("file:")


def test_the_example_rule_of_the_sample_is_a_rule(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^#(\[\[|unit|mesh|name = \"\{|tags)", r"\1", sample())
    (rule,) = loaded(toml(tmp_path, text)).settings.admission.rules
    assert rule.unit == "kuma-dp@*.service"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.path)
def test_the_sample_explains_every_setting(row: Row) -> None:
    text = " ".join(line.removeprefix("#").strip() for line in sample().splitlines())
    assert row.option.doc in text
    if row.option.environment:
        assert f"Variable: {row.option.environment}." in text


def test_the_lines_of_the_sample_fit_a_terminal() -> None:
    assert max(map(len, sample().splitlines())) <= 100


def test_what_is_shown_is_a_configuration_with_the_same_meaning(tmp_path: Path) -> None:
    environ = {"KUMA_API_SERVER_HTTP_PORT": "7000", "KMESH_LICENSE_PATH": "/etc/l.json"}
    found = loaded(toml(tmp_path, RULES), environ)
    again = loaded(toml(tmp_path, in_force(found.settings, found.origins)))
    assert again.settings == found.settings


def test_what_is_shown_says_where_each_value_came_from(tmp_path: Path) -> None:
    file = toml(tmp_path, '[log]\nlevel = "debug"\n')
    found = loaded(file, {"KMESH_LICENSE_INLINE": "canary"})
    lines = in_force(found.settings, found.origins).splitlines()
    assert f'level = "debug"  # file:{file}:log.level' in lines
    assert "port = 5681  # default" in lines
    assert "# inline is set and not shown  # environment KMESH_LICENSE_INLINE" in lines
    assert "# path is not set" in lines


def _converted(path: Path) -> tuple[str, Gathering]:
    document = read_document(path, kuma=True)
    assert document is not None
    gathering = Gathering()
    gathering.add_document(document)
    return converted(gathering.file), gathering


def test_a_conversion_holds_what_was_set_and_nothing_else(tmp_path: Path) -> None:
    text, _ = _converted(kuma_yaml(tmp_path, "apiServer: {http: {port: 7000}}\nmode: standalone\n"))
    assert tomllib.loads(text) == {"mode": "zone", "apiServer": {"http": {"port": 7000}}}


def test_a_conversion_keeps_the_license(tmp_path: Path) -> None:
    license_text = '{"license": {"a": "\\u00e9\\n"}}'
    text, _ = _converted(kuma_yaml(tmp_path, f"kmesh:\n  license:\n    inline: '{license_text}'\n"))
    assert tomllib.loads(text) == {"license": {"inline": license_text}}
    found = loaded(toml(tmp_path, text))
    assert found.license_texts.config_inline == license_text


def test_a_conversion_of_rules_is_read_back(tmp_path: Path) -> None:
    text, gathering = _converted(
        kuma_yaml(
            tmp_path, "admission:\n  rules:\n  - {unit: 'a@*.service', tags: {kuma.io/x: 'y'}}\n"
        )
    )
    assert gathering.problems == []
    rules = loaded(toml(tmp_path, text)).settings.admission.rules
    assert rules == gathering.file["admission.rules"].value


def test_the_conversion_of_nothing_is_empty(tmp_path: Path) -> None:
    assert _converted(kuma_yaml(tmp_path, "# nothing\n"))[0] == ""
