"""`kong-mesh-cp config`: what it prints, what it writes, how it exits."""

from __future__ import annotations

import argparse
import json
import os
import stat
import tomllib
from pathlib import Path

import pytest

from kong_mesh_cp.commands import config
from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError, ControlPlaneError
from support.specs.configurations import kuma_yaml, loaded, toml

REFERENCE = Path(__file__).parents[3] / "shared/contract/reference/kuma-cp.defaults.yaml"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KUMA_", "KMESH_")) or name == "STATE_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/home/operator")


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    config.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["config", *words])
    status = arguments.run(arguments)
    assert isinstance(status, int)
    return status


def test_init_prints_a_sample_that_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("init") == 0
    file = toml(tmp_path, capsys.readouterr().out)
    assert _run("check", str(file)) == 0
    assert capsys.readouterr().out.startswith(f"ok: {file}")


def test_init_check_and_load_give_the_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new.toml"
    assert _run("init", "--output", str(file)) == 0
    assert capsys.readouterr().out == ""
    assert _run("check", str(file)) == 0
    assert loaded(file).settings == loaded().settings


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    file = toml(tmp_path, "mine")
    for words in (("init", "--output"), ("convert", str(kuma_yaml(tmp_path, "")), "-o")):
        with pytest.raises(ConfigurationError) as caught:
            _run(*words, str(file))
        assert caught.value.code == "config-exists"
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["missing/new.toml", "a\0b.toml"])
def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _run("init", "--output", f"{tmp_path}/{name}")
    assert caught.value.code == "config-unwritable"


def test_show_prints_every_value_with_its_origin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUMA_DIAGNOSTICS_SERVER_PORT", "7680")
    file = toml(tmp_path, "[apiServer.http]\nport = 7681\n")
    assert _run("show", "--config-file", str(file), "--log-level", "debug") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"port = 7681  # file:{file}:apiServer.http.port" in lines
    assert "serverPort = 7680  # environment KUMA_DIAGNOSTICS_SERVER_PORT" in lines
    assert 'level = "debug"  # flag --log-level' in lines
    assert 'type = "sqlite"  # default' in lines


def test_show_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(toml(tmp_path, ""))
    assert _run("show", "-c", file, "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["apiServer"]["http"]["port"] == 5681
    assert _run("show", "-c", file, "--output", "json", "--origins") == 0
    leaf = json.loads(capsys.readouterr().out)["apiServer"]["http"]["port"]
    assert leaf == {"value": 5681, "from": "default"}


@pytest.mark.parametrize("output", ["toml", "json"])
def test_show_keeps_the_license_to_itself(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    output: str,
) -> None:
    monkeypatch.setenv("KMESH_LICENSE_INLINE", "canary")
    monkeypatch.setenv("KMESH_LICENSE_INLIEN", "canary")
    assert _run("show", "-c", str(toml(tmp_path, "")), "--output", output) == 0
    printed = capsys.readouterr()
    assert "canary" not in printed.out + printed.err
    assert "KMESH_LICENSE_INLINE" in printed.err
    assert "KMESH_LICENSE_INLINE" not in os.environ


def test_show_refuses_what_a_start_would_refuse(tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneError) as caught:
        _run("show", "-c", str(toml(tmp_path, 'environment = "kubernetes"\n')))
    assert caught.value.exit_status == EX_CONFIG


def test_check_lists_every_problem_with_place_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUMA_STORE_TYPE", "kubernetes")
    file = toml(
        tmp_path, 'environment = "kubernetes"\n[log]\nlevel = "loud"\n[lgo]\nlevel = "info"\n'
    )
    assert _run("check", str(file)) == EX_CONFIG
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "config-unsupported",
        "config-unsupported",
        "config-value",
        "config-unknown-key",
    ]
    assert "KUMA_STORE_TYPE" in lines[0]
    assert f"{file} line 1" in lines[1]
    assert f"{file} line 3" in lines[2]
    assert f"{file} line 4" in lines[3]


def test_check_prints_notes_and_still_says_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        _run("check", str(toml(tmp_path, '[multizone.global.kds]\nrefreshInterval = "1s"\n'))) == 0
    )
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("note: config-unused: ")
    assert "multizone.global.kds.refreshInterval" in first
    assert last.startswith("ok: ")


def test_check_of_a_missing_file_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("check", str(tmp_path / "none.toml")) == EX_CONFIG
    assert "config-missing" in capsys.readouterr().out


def test_convert_writes_toml_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "environment: kubernetes\nstore: {type: kubernetes, postgres: {driverName: pgx, maxIdleConnections: 5}}\n"
        "apiServer: {http: {port: 7000}}\nmistery: {x: 1}\n"
    )
    assert _run("convert", str(kuma_yaml(tmp_path, text))) == 0
    printed = capsys.readouterr()
    assert tomllib.loads(printed.out) == {"apiServer": {"http": {"port": 7000}}}
    lines = printed.err.splitlines()
    assert all(line.startswith("left out: ") for line in lines)
    assert any("environment" in line and "kubernetes" in line for line in lines)
    assert any("store.type" in line and "kubernetes" in line for line in lines)
    assert any("postgres.driverName, postgres.maxIdleConnections" in line for line in lines)
    assert any("mistery" in line for line in lines)


def test_convert_takes_a_file_by_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kuma-cp.conf"
    path.write_text("multizone: {zone: {name: east}}\n")
    assert _run("convert", str(path)) == 0
    assert tomllib.loads(capsys.readouterr().out) == {"multizone": {"zone": {"name": "east"}}}


def test_convert_keeps_a_license_from_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = kuma_yaml(tmp_path, "kmesh: {license: {inline: 'canary'}}\n")
    file = tmp_path / "new.toml"
    assert _run("convert", str(source), "-o", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0
    assert tomllib.loads(file.read_text()) == {"license": {"inline": "canary"}}
    printed = capsys.readouterr()
    assert "canary" not in printed.out + printed.err
    assert "license" in printed.err


def test_convert_of_a_missing_or_broken_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yml", kuma_yaml(tmp_path, "a: [")):
        with pytest.raises(ConfigurationError) as caught:
            _run("convert", str(path))
        assert caught.value.exit_status == EX_CONFIG


@pytest.mark.skipif(not REFERENCE.exists(), reason="Kuma's reference configuration is not here")
def test_kumas_reference_configuration_converts_and_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "converted.toml"
    assert _run("convert", str(REFERENCE), "-o", str(file)) == 0
    left_out = capsys.readouterr().err
    assert "store, known to Kuma" in left_out
    assert "nobody knows" not in left_out
    found = loaded(file)
    assert found.warnings == ()
    as_kuma = {
        "KUMA_STORE_TYPE": "memory",
        "KUMA_STORE_POSTGRES_PASSWORD": "kuma",
        "KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS": "50",
        "KUMA_DP_SERVER_TLS_MIN_VERSION": "TLSv1_2",
        "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_MIN_VERSION": "TLSv1_2",
        "KUMA_MULTIZONE_GLOBAL_KDS_TLS_MIN_VERSION": "TLSv1_2",
        "KUMA_API_SERVER_CORS_ALLOWED_DOMAINS": ".*",  # here closed, unless somebody says so
    }
    assert found.settings == loaded(environ=as_kuma).settings
    assert _run("check", str(REFERENCE)) == 0
