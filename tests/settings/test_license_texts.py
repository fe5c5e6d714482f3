"""What the license readers get, and where the license must not show up."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.settings.effective import MASK, effective
from kong_mesh_cp.settings.loading import examine, load
from kong_mesh_cp.settings.writing import effective_json, in_force
from support.specs.configurations import NO_FILE, kuma_yaml, loaded, problems, toml

CANARY = '{"license": {"payload": {"key": "canary-7f3a"}, "signature": "0badcafe"}}'


def test_each_place_is_handed_over_the_losers_too(tmp_path: Path) -> None:
    file = toml(tmp_path, "[license]\ninline = 'from file'\npath = '/file.json'\n")
    environ = {"KMESH_LICENSE_INLINE": "from variable", "KMESH_LICENSE_PATH": "/variable.json"}
    texts = loaded(file, environ).license_texts
    assert texts.inline == "from variable"
    assert texts.path == "/variable.json"
    assert texts.config_inline == "from file"
    assert texts.config_path == "/file.json"


def test_places_that_are_not_set_are_empty() -> None:
    texts = loaded(environ={"KMESH_LICENSE_INLINE": ""}).license_texts
    assert (texts.inline, texts.path, texts.config_inline, texts.config_path) == ("", "", "", "")


@pytest.mark.parametrize(
    "text", ["kmesh:\n  license:\n    path: /a.json\n", "license:\n  path: /a.json\n"]
)
def test_the_block_of_kong_mesh_is_another_spelling(tmp_path: Path, text: str) -> None:
    found = loaded(kuma_yaml(tmp_path, text))
    assert found.license_texts.config_path == "/a.json"
    assert found.warnings == ()


def test_the_block_of_kong_mesh_is_taken_in_toml_too(tmp_path: Path) -> None:
    found = loaded(toml(tmp_path, '[kmesh.license]\ninline = "x"\n'))
    assert found.license_texts.config_inline == "x"
    assert found.origins["license.inline"].endswith(":kmesh.license.inline")


def test_both_spellings_at_once_are_refused(tmp_path: Path) -> None:
    text = '[license]\npath = "/a"\n[kmesh.license]\npath = "/b"\n'
    (problem,) = problems(toml(tmp_path, text))
    assert problem.code == "config-duplicate"


def test_the_inline_license_leaves_the_environment() -> None:
    environ = {"HOME": "/root", "KMESH_LICENSE_INLINE": CANARY, "KMESH_LICENSE_PATH": "/a"}
    load(arguments={}, environ=environ, default_file=NO_FILE)
    assert environ == {"HOME": "/root", "KMESH_LICENSE_PATH": "/a"}


def test_it_leaves_the_environment_also_when_the_configuration_is_refused() -> None:
    environ = {"KMESH_LICENSE_INLINE": CANARY, "KUMA_MODE": "global"}
    found = examine(arguments={}, environ=environ, default_file=NO_FILE)
    assert found.loaded is None
    assert "KMESH_LICENSE_INLINE" not in environ


@pytest.mark.parametrize("variable", ["KMESH_LICENSE_INLINE", "KMESH_LICENSE_PATH"])
def test_a_license_shows_up_nowhere(variable: str) -> None:
    found = loaded(environ={variable: CANARY})
    shown = (
        repr(found),
        str(found.settings),
        effective_json(found.settings, found.origins),
        in_force(found.settings, found.origins),
        *found.warnings,
    )
    for text in shown:
        assert "canary" not in text
        assert "0badcafe" not in text


@pytest.mark.parametrize("key", ["inline", "path"])
def test_a_license_in_the_file_shows_up_nowhere(tmp_path: Path, key: str) -> None:
    found = loaded(toml(tmp_path, f"[license]\n{key} = '{CANARY}'\n"))
    for text in (
        repr(found),
        in_force(found.settings, found.origins),
        effective_json(found.settings, None),
    ):
        assert "canary" not in text


@pytest.mark.parametrize("value", [f"[{CANARY!r}]", "{ key = 'canary-7f3a' }", "[['canary-7f3a']]"])
def test_a_license_of_the_wrong_type_is_refused_without_showing_it(
    tmp_path: Path, value: str
) -> None:
    (problem,) = problems(toml(tmp_path, f"[license]\ninline = {value}\n"))
    assert "license.inline" in problem.line
    assert "canary" not in problem.line


@pytest.mark.parametrize("value", ["73219", "true"])
def test_not_even_a_number_in_its_place_is_shown(tmp_path: Path, value: str) -> None:
    (problem,) = problems(toml(tmp_path, f"[license]\ninline = {value}\n"))
    assert "must be text" in problem.message
    assert value not in problem.line


def test_a_license_written_as_yaml_is_refused_without_showing_it(tmp_path: Path) -> None:
    text = f"kmesh:\n  license:\n    inline: {CANARY}\n"
    (problem,) = problems(kuma_yaml(tmp_path, text))
    assert "kmesh.license.inline" in problem.message
    assert "canary" not in problem.line


def test_a_usual_path_is_shown_and_a_doubtful_one_masked() -> None:
    def shown(path: str) -> object:
        tree = effective(loaded(environ={"KMESH_LICENSE_PATH": path}).settings)
        assert isinstance(tree["license"], dict)
        return tree["license"]["path"]

    assert shown("/etc/kong-mesh/license.json") == "/etc/kong-mesh/license.json"
    assert shown("license.json") == "license.json"
    assert shown("a" * 64) == MASK
    assert shown("\u201c/etc/license.json\u201d") == MASK
