"""What a start decides before it touches anything."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.compose.preparing import (
    LicenseEventRelay,
    Prepared,
    RunOptions,
    check_start,
    prepare,
)
from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.document import License
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from support.daemons.https_settings import configured
from support.licenses.licenses import LICENSE_KEY, keyring_json, license_document, signature_of
from support.specs.tls_files import MISTAKES, Mistake


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def environ_in(directory: Path, **others: str) -> dict[str, str]:
    return {"KUMA_GENERAL_WORK_DIR": str(directory / "state"), **others}


def options_in(directory: Path, **others: str) -> RunOptions:
    keyring = directory / "keyring.json"
    keyring.write_bytes(keyring_json())
    return RunOptions(keyring_file=str(keyring), **others)  # type: ignore[arg-type]


def prepared(
    directory: Path, environ: dict[str, str], options: RunOptions | None = None
) -> Prepared:
    service = ServiceEnvironment.read(environ, pid=os.getpid())
    return prepare(options or options_in(directory), environ, service)


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*")}


def test_without_any_source_the_bundled_license_holds_and_no_file_is_made(tmp_path: Path) -> None:
    start = prepared(tmp_path, environ_in(tmp_path))

    assert isinstance(start.licensing.entitlement, BundledLicense)
    assert _names(tmp_path) == {"keyring.json"}


def test_an_issued_license_is_verified_with_the_keyring_of_the_flag(tmp_path: Path) -> None:
    environ = environ_in(tmp_path, KMESH_LICENSE_INLINE=license_document().decode())

    assert isinstance(prepared(tmp_path, environ).licensing.entitlement, License)


def test_the_inline_license_leaves_the_environment_also_when_it_is_refused(tmp_path: Path) -> None:
    for text in (license_document().decode(), license_document(expires="2023-11-09").decode()):
        environ = environ_in(tmp_path, KMESH_LICENSE_INLINE=text)
        try:
            prepared(tmp_path, environ)
        except LicenseRejectedError as error:
            assert error.code == "license-expired"  # noqa: PT017 -- of the second
        assert "KMESH_LICENSE_INLINE" not in environ


def test_the_inline_license_leaves_the_environment_also_when_a_setting_is_wrong(
    tmp_path: Path,
) -> None:
    environ = environ_in(tmp_path, KMESH_LICENSE_INLINE="x", KUMA_API_SERVER_HTTP_PORT="high")
    with pytest.raises(ConfigurationError):
        prepared(tmp_path, environ)

    assert "KMESH_LICENSE_INLINE" not in environ


def test_the_configuration_that_is_shown_holds_no_part_of_the_license(tmp_path: Path) -> None:
    document = license_document()
    start = prepared(tmp_path, environ_in(tmp_path, KMESH_LICENSE_INLINE=document.decode()))

    for text in (repr(start), repr(start.config), repr(start.settings), repr(start.sources)):
        assert LICENSE_KEY not in text
        assert signature_of(document) not in text


def test_warnings_about_settings_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(tmp_path, environ_in(tmp_path, KMESH_LICENCE_PATH="/etc/kong-mesh/license.json"))

    said = capsys.readouterr().err
    assert "KMESH_LICENCE_PATH" in said
    assert "KMESH_LICENSE_PATH" in said


def test_the_level_of_the_flag_is_in_force_before_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = options_in(tmp_path, log_level="off")
    prepared(tmp_path, environ_in(tmp_path, KMESH_LICENCE_PATH="/x"), options)

    assert capsys.readouterr().err == ""


def _started_once(state: Path, at: datetime) -> None:
    async def stamp() -> None:
        with StateDirectory.open(state) as directory:
            async with directory.open_store() as store:
                await store.save_trial_start(at)

    trio.run(stamp)


def test_a_trial_that_is_over_is_refused_from_what_the_state_directory_remembers(
    tmp_path: Path,
) -> None:
    _started_once(tmp_path / "state", datetime.now(UTC) - timedelta(days=40))
    before = _names(tmp_path / "state")

    with pytest.raises(LicenseRejectedError) as refused:
        prepared(tmp_path, environ_in(tmp_path))

    assert refused.value.exit_status == EX_CONFIG
    assert _names(tmp_path / "state") == before


def test_a_store_in_memory_looks_at_no_state_directory(tmp_path: Path) -> None:
    _started_once(tmp_path / "state", datetime.now(UTC) - timedelta(days=40))

    start = prepared(tmp_path, environ_in(tmp_path, KUMA_STORE_TYPE="memory"))

    assert isinstance(start.licensing.entitlement, BundledLicense)


def test_a_broken_copy_in_the_state_directory_is_remarked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _started_once(tmp_path / "state", datetime.now(UTC))
    (tmp_path / "state/trial.json").write_text("{")

    prepared(tmp_path, environ_in(tmp_path))

    assert "state-copy-broken: " in capsys.readouterr().err


def test_judging_a_start_agrees_with_starting(tmp_path: Path) -> None:
    service = ServiceEnvironment.read({}, pid=os.getpid())
    for expires, refusal in [("2032-11-09", None), ("2023-11-09", "license-expired")]:
        text = license_document(expires=expires).decode()
        codes: list[str | None] = []
        for judge in (check_start, prepare):
            environ = environ_in(tmp_path, KMESH_LICENSE_INLINE=text)
            try:
                judge(options_in(tmp_path), environ, service)
            except LicenseRejectedError as error:
                codes.append(error.code)
            else:
                codes.append(None)
        assert codes == [refusal, refusal]
    assert _names(tmp_path) == {"keyring.json"}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_judging_a_start_looks_at_the_files_of_https(tmp_path: Path, mistake: Mistake) -> None:
    service = ServiceEnvironment.read({}, pid=os.getpid())
    for judge in (check_start, prepare):
        environ = environ_in(tmp_path, **configured(tmp_path / "own", mistake.files()))
        with pytest.raises(ConfigurationError) as refused:
            judge(options_in(tmp_path), environ, service)
        assert refused.value.code == mistake.code


def test_judging_a_start_looks_at_the_public_keys_of_tokens(tmp_path: Path) -> None:
    service = ServiceEnvironment.read({}, pid=os.getpid())
    config = tmp_path / "kong-mesh-cp.toml"
    config.write_text(
        "[apiServer.authn.tokens.validator]\n"
        'publicKeys = [{kid = "ci", keyFile = "/nowhere/ci.pub"}]\n'
    )
    for judge in (check_start, prepare):
        options = options_in(tmp_path, config_file=str(config))
        with pytest.raises(ConfigurationError) as refused:
            judge(options, environ_in(tmp_path), service)
        assert refused.value.code == "public-key-unreadable"


def test_a_herald_without_a_listener_keeps_silent_and_then_passes_on() -> None:
    herald = LicenseEventRelay()
    herald({"type": "warning"})
    heard: list[object] = []
    herald.listener = heard.append
    herald({"type": "reloaded"})

    assert heard == [{"type": "reloaded"}]
