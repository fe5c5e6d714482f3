"""Names that nobody knows, names that only Kuma knows, and how a problem is worded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kong_mesh_cp.settings.problems import PROBLEMS_MAX
from support.specs.configurations import kuma_yaml, loaded, problems, toml


def test_an_unknown_variable_is_warned_of_with_the_nearest_name() -> None:
    (warning,) = loaded(environ={"KUMA_API_SERVER_HTTP_PROT": "hidden"}).warnings
    assert warning.startswith("config-unknown-variable: ")
    assert "Did you mean KUMA_API_SERVER_HTTP_PORT?" in warning
    assert "hidden" not in warning


def test_a_variable_that_resembles_nothing_gets_no_guess() -> None:
    (warning,) = loaded(environ={"KMESH_QQQQQQ": "1"}).warnings
    assert "Did you mean" not in warning


@pytest.mark.parametrize("name", ["KUMA_INTER_CP_SERVER_PORT", "KMESH_LIMITS_DEFAULT_ZONES"])
def test_a_variable_that_only_kuma_uses_is_noted(name: str) -> None:
    found = loaded(environ={name: "secret"})
    expected = f"config-unused: the environment sets '{name}', known, but not used by this version"
    assert found.notes == (expected,)
    assert found.warnings == ()


def test_variables_of_other_programs_are_ignored() -> None:
    assert loaded(environ={"PATH": "/bin", "KONG_X": "1", "kuma_mode": "x"}).warnings == ()


def test_a_hostile_variable_name_stays_on_its_line() -> None:
    (warning,) = loaded(environ={"KUMA_A\nfake-line: \x1b[31m": "1"}).warnings
    assert warning.isprintable()


@pytest.mark.parametrize(
    ("text", "nearest", "line"),
    [
        ('[general]\nworkdir = "/x"\n', "general.workDir", 2),
        ("[apiserver.http]\nport = 1\n", "apiServer", 1),
        ("# a comment\n[apiServer.http]\n\nprot = 1\n", "apiServer.http.port", 4),
        ('admission.sockt = "/x"\n', "admission.socket", 1),
    ],
)
def test_an_unknown_key_in_toml_is_refused(
    tmp_path: Path, text: str, nearest: str, line: int
) -> None:
    (problem,) = problems(toml(tmp_path, text))
    assert problem.code == "config-unknown-key"
    assert f"line {line})" in problem.message
    assert problem.remedy == f"Did you mean {nearest}?"


def test_an_unknown_key_that_resembles_nothing_is_to_be_removed(tmp_path: Path) -> None:
    (problem,) = problems(toml(tmp_path, "zzzzzzzz = 1\n"))
    assert problem.remedy == "Remove it."


def test_an_unknown_key_in_a_kuma_file_is_a_warning(tmp_path: Path) -> None:
    found = loaded(kuma_yaml(tmp_path, "apiServer:\n  http:\n    prot: 1\n"))
    (warning,) = found.warnings
    assert warning.startswith("config-unknown-key: 'apiServer.http.prot'")
    assert "line 3" in warning
    assert "Did you mean apiServer.http.port?" in warning


@pytest.mark.parametrize("write", [toml, kuma_yaml])
def test_settings_that_only_kuma_uses_are_one_note(
    tmp_path: Path, write: Callable[[Path, str], Path]
) -> None:
    text = "general:\n  dnsCacheTTL: 1\nreports:\n  enabled: 1\n"
    if write is toml:
        text = "[general]\ndnsCacheTTL = 1\n[reports]\nenabled = 1\n"
    (warning,) = loaded(write(tmp_path, text)).notes
    assert warning.startswith("config-unused: ")
    for name in ("general.dnsCacheTTL", "reports.enabled"):
        assert name in warning


def test_many_unused_settings_are_counted_not_listed(tmp_path: Path) -> None:
    names = ["driverName", "healthCheckInterval", "maxIdleConnections", "maxListQueryElements"]
    lifetimes = ["maxConnectionIdleTime", "maxConnectionLifetime", "maxConnectionLifetimeJitter"]
    text = "store:\n  cache: {enabled: true}\n  postgres:\n" + "".join(
        f"    {name}: x\n" for name in [*names, *lifetimes, "minOpenConnections"]
    )
    (note,) = loaded(kuma_yaml(tmp_path, text)).notes
    assert "and 1 more" in note


def test_free_trees_of_kong_mesh_are_known_as_a_whole(tmp_path: Path) -> None:
    text = "kmesh:\n  opa:\n    anything: {at: all}\n  awsIAM: {}\n"
    (note,) = loaded(kuma_yaml(tmp_path, text)).notes
    assert note.startswith("config-unused: ")
    assert "kmesh.opa" in note


def test_a_section_cannot_have_a_value(tmp_path: Path) -> None:
    (problem,) = problems(toml(tmp_path, "apiServer = 5681\n"))
    assert "apiServer" in problem.message
    assert "section" in problem.message


def test_an_empty_section_of_a_yaml_is_nothing(tmp_path: Path) -> None:
    found = loaded(kuma_yaml(tmp_path, "apiServer:\n  http:\nmode: zone\ngeneral: {}\n"))
    assert found.settings.mode == "zone"
    assert found.warnings == ()


def test_a_quoted_key_with_a_dot_is_not_a_path(tmp_path: Path) -> None:
    (problem,) = problems(toml(tmp_path, '"log.level" = "debug"\n'))
    assert problem.code == "config-unknown-key"


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    text = '[apiServer.http]\nport = -1\nenabled = "perhaps"\n[log]\nlevel = "loud"\n'
    found = problems(toml(tmp_path, text), {"KUMA_MULTIZONE_ZONE_NAME": "East"}, log_level="x")
    assert [problem.code for problem in found] == ["config-value"] * 5


def test_a_file_of_another_kind_does_not_fill_the_journal(tmp_path: Path) -> None:
    text = "".join(f"unknown{number} = {number}\n" for number in range(PROBLEMS_MAX * 3))
    assert len(problems(toml(tmp_path, text))) == PROBLEMS_MAX


def test_a_value_is_quoted_and_cut() -> None:
    (problem,) = problems(environ={"KUMA_MODE": "x" * 5000 + "\n"})
    assert len(problem.message) < 200
    assert problem.message.isprintable()


def test_a_number_of_any_size_is_refused_not_printed(tmp_path: Path) -> None:
    (problem,) = problems(toml(tmp_path, f"[apiServer.http]\nport = 0x{'f' * 20_000}\n"))
    assert problem.code == "config-value"
    assert len(problem.message) < 300
