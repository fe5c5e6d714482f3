"""A secret in the place of any setting is repeated nowhere: not refused, not shown, not logged."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kong_mesh_cp.cli import main
from kong_mesh_cp.compose.preparing import RunOptions, prepare
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.data_plane.dns_server import DOMAIN
from kong_mesh_cp.settings.loading import CONFIG_FILE_FLAG, examine
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.options import Row
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.settings.writing import converted, effective_json, in_force
from support.specs.configurations import NO_FILE

CANARY = "hunter2-canary-7f3a91"
_PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"

# What a secret looks like where people put it by mistake.
DISGUISES: Mapping[str, str] = {
    "URL": f"postgres://kuma:{CANARY}@db.example.com/kuma",
    "user and password": f"kuma:{CANARY}@db.example.com",
    "parameters": f"host=db.example.com password={CANARY} dbname=kuma",
    "quoted URL": f'"postgres://kuma:{CANARY}@db.example.com:5432/kuma"',
    "PEM": _PEM,
    "PEM in base64": base64.b64encode(_PEM.encode()).decode(),
    "token": f"eyJhbGciOiJSUzI1NiJ9.eyJuYW1lIjoiYWRtaW4ifQ.{CANARY}",
    "JSON": json.dumps({"license": {"payload": {"license_key": CANARY}}}),
    "command": f"$(echo {CANARY})",
    "template": f"{{{{ {CANARY} }}}}",
    "manifest": f"apiVersion: v1\nkind: Secret\nstringData: {{password: {CANARY}}}\n",
    "lines": f"{CANARY}\nand more",
    "long": CANARY * 300,
    "word": CANARY,
}
# Where a word is a name that an operator has chosen, there is nothing to tell a secret by.
NAMED = (
    *(forms.HOST, forms.SERVER, forms.ROLE, forms.DATABASE, forms.ADDRESS),
    forms.ZONE_NAME,
    DOMAIN,
)
NAMED_LISTS = (lists.NAMES, lists.ORIGINS)


def _pieces(disguise: str) -> list[str]:
    text = DISGUISES[disguise]
    return [CANARY, CANARY[:12], text[:40], text[-40:]] if len(text) > 60 else [CANARY, CANARY[:12]]


@pytest.fixture(params=rows(), ids=lambda row: row.path)
def row(request: pytest.FixtureRequest) -> Row:
    assert isinstance(request.param, Row)
    return request.param


def _toml(folder: Path, row: Row, text: str) -> Path:
    section, _, key = row.path.rpartition(".")
    header = f"[{section}]\n" if section else ""
    file = folder / "c.toml"
    file.write_text(f"{header}{key} = {json.dumps(text)}\n", encoding="utf-8")
    return file


def _yaml(folder: Path, row: Row, text: str) -> Path:
    tree: object = text
    for key in reversed(row.path.split(".")):
        tree = {key: tree}
    file = folder / "c.yaml"
    file.write_text(json.dumps(tree), encoding="utf-8")
    return file


def _places(folder: Path, row: Row, text: str) -> Iterator[tuple[Path | None, dict[str, str]]]:
    """Everywhere the value can stand: the file and the environment of a start."""
    yield _toml(folder, row, text), {}
    yield _yaml(folder, row, text), {}
    if row.option.environment:
        yield None, {row.option.environment: text}


def _shown_of(file: Path | None, environ: dict[str, str]) -> Iterator[str]:
    """What `config check`, `config show` and `/config` say."""
    found = examine(
        arguments={CONFIG_FILE_FLAG: str(file) if file else None},
        environ={"HOME": "/home/operator", **environ},
        default_file=NO_FILE,
    )
    yield from (problem.line for problem in found.problems)
    yield from found.warnings
    yield from found.notes
    yield repr(found)
    if found.loaded is not None:
        loaded = found.loaded
        yield effective_json(loaded.settings, None)
        yield effective_json(loaded.settings, loaded.origins)
        yield in_force(loaded.settings, loaded.origins)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_answer_about_the_configuration_holds_it(
    tmp_path: Path, row: Row, disguise: str
) -> None:
    if disguise == "word" and row.option.form in (*NAMED, *NAMED_LISTS):
        pytest.skip("a name like any other")
    for file, environ in _places(tmp_path, row, DISGUISES[disguise]):
        for shown in _shown_of(file, environ):
            for piece in _pieces(disguise):
                assert piece not in shown, f"{file or 'environment'}: {shown}"


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_start_tells_it(
    tmp_path: Path,
    row: Row,
    disguise: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log, the refusal and, should there be one, the traceback."""
    if disguise == "word" and row.option.form in (*NAMED, *NAMED_LISTS):
        pytest.skip("a name like any other")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    service = ServiceEnvironment.read({}, pid=0)
    for file, environ in _places(tmp_path, row, DISGUISES[disguise]):
        started = {
            "KUMA_STORE_TYPE": "memory",
            "KUMA_GENERAL_WORK_DIR": str(tmp_path / "state"),
            "KMESH_ADMISSION_SOCKET": str(tmp_path / "a.sock")[-100:],
            "KMESH_LOG_LEVEL": "debug",
            **environ,
        }
        said = ""
        try:
            prepared = prepare(
                RunOptions(config_file=str(file) if file else None), started, service
            )
            said = f"{prepared!r} {json.dumps(prepared.config)}"
        except ControlPlaneError as error:
            said = f"{error.line} {error.remarks} {error!r} {traceback.format_exc()}"
        said += "".join(capfd.readouterr())
        for piece in _pieces(disguise):
            assert piece not in said


@pytest.mark.parametrize("disguise", ["word", "URL"])
def test_no_flag_repeats_it(disguise: str, capfd: pytest.CaptureFixture[str]) -> None:
    flags = ["--log-level", DISGUISES[disguise]]
    with pytest.raises(SystemExit) as caught:
        main(["run", *flags])
    assert caught.value.code == 2
    assert main(["config", "show", "--this-environment", *flags]) == 78
    said = "".join(capfd.readouterr())
    assert "off, debug, info, warning or error" in said
    for piece in _pieces(disguise):
        assert piece not in said


def test_a_conversion_hides_nothing_because_it_makes_the_file(tmp_path: Path) -> None:
    """The one place that repeats secrets, on purpose: it says so, and the file is not for all."""
    file = tmp_path / "kuma.yaml"
    file.write_text(f"store: {{postgres: {{password: {CANARY}}}}}\n", encoding="utf-8")
    output = tmp_path / "new.toml"
    assert main(["config", "convert", str(file), "-o", str(output)]) == 0
    assert CANARY in output.read_text(encoding="utf-8")
    assert output.stat().st_mode & 0o007 == 0


def test_what_is_looked_for_is_in_what_is_planted() -> None:
    for disguise, text in DISGUISES.items():
        assert all(piece in text for piece in _pieces(disguise)[2:]), disguise
        if disguise != "PEM in base64":
            assert CANARY in text
    assert converted({}) == ""
