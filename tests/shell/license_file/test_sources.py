from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.sources import SourceKind, SourceReading, choose
from kong_mesh_cp.shell.license_file.sources import SystemLicenseSources
from support.licenses.licenses import LICENSE_KEY, license_document, signature_of

DOCUMENT = license_document()
TEXT = DOCUMENT.decode()


def file(folder: Path, name: str = "license.json", content: bytes = DOCUMENT) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o640)
    return path


def only(sources: SystemLicenseSources) -> SourceReading:
    (reading,) = sources.read()
    return reading


def refused(sources: SystemLicenseSources) -> LicenseRejectedError:
    error = only(sources).error
    assert error is not None
    return error


def test_nothing_set_gives_no_reading() -> None:
    assert SystemLicenseSources().read() == ()


def test_an_empty_value_counts_as_unset() -> None:
    sources = SystemLicenseSources(
        inline="", path="", credentials_directory="", config_inline="", config_path=""
    )

    assert sources.read() == ()


def test_every_source_that_is_set_is_read_in_the_order_in_which_they_count(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    file(credentials, "license", b"3")
    sources = SystemLicenseSources(
        inline="1",
        path=str(file(tmp_path, "two", b"2")),
        credentials_directory=str(credentials),
        config_inline="4",
        config_path=str(file(tmp_path, "five", b"5")),
    )

    readings = sources.read()

    assert [reading.kind for reading in readings] == list(SourceKind)
    assert [reading.document for reading in readings] == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("first", range(5))
def test_the_first_of_those_set_wins(tmp_path: Path, first: int) -> None:
    file(tmp_path, "license")
    path = str(file(tmp_path))
    values = {
        "inline": TEXT,
        "path": path,
        "credentials_directory": str(tmp_path),
        "config_inline": TEXT,
        "config_path": path,
    }
    lower = dict(list(values.items())[first:])

    choice = choose(SystemLicenseSources(**lower).read())

    assert choice is not None
    assert choice.winner.kind is list(SourceKind)[first]
    assert len(choice.losers) == 4 - first
    assert not choice.conflicting


def test_a_broken_winner_stays_the_winner(tmp_path: Path) -> None:
    sources = SystemLicenseSources(
        path=str(tmp_path / "missing.json"), config_path=str(file(tmp_path))
    )

    choice = choose(sources.read())

    assert choice is not None
    assert choice.winner.error is not None
    assert choice.winner.error.fault is Fault.PATH_NOT_FOUND


@pytest.mark.parametrize("content", [b"{}", b"", b" {}\n"])
def test_the_default_credential_of_the_unit_counts_as_unset(tmp_path: Path, content: bytes) -> None:
    file(tmp_path, "license", content)

    assert SystemLicenseSources(credentials_directory=str(tmp_path)).read() == ()


def test_a_unit_without_the_credential_sets_nothing(tmp_path: Path) -> None:
    assert SystemLicenseSources(credentials_directory=str(tmp_path)).read() == ()


def test_a_credential_that_cannot_be_read_is_set_and_broken(tmp_path: Path) -> None:
    (tmp_path / "license").mkdir()

    error = refused(SystemLicenseSources(credentials_directory=str(tmp_path)))

    assert error.fault is Fault.UNREADABLE


def test_an_empty_object_anywhere_else_is_a_document(tmp_path: Path) -> None:
    path = file(tmp_path, content=b"{}")

    assert only(SystemLicenseSources(path=str(path))).document == b"{}"
    assert only(SystemLicenseSources(inline="{}")).document == b"{}"


def test_a_relative_path_counts_from_the_folder_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path)
    monkeypatch.chdir(tmp_path)
    sources = SystemLicenseSources(path="license.json")
    monkeypatch.chdir("/")

    reading = only(sources)

    assert reading.document == DOCUMENT
    assert reading.source == f"{tmp_path}/license.json (KMESH_LICENSE_PATH)"


def test_remarks_about_the_file_come_with_its_reading(tmp_path: Path) -> None:
    path = file(tmp_path)
    path.chmod(0o644)

    (remark,) = only(SystemLicenseSources(path=str(path))).remarks

    assert "read by everybody" in remark


def test_the_files_to_watch_are_those_that_are_named_whether_they_exist_or_not() -> None:
    sources = SystemLicenseSources(
        inline=TEXT, path="/a/x.json", credentials_directory="/run/c", config_path="/b/y.json"
    )

    assert sources.paths == (Path("/a/x.json"), Path("/b/y.json"), Path("/run/c/license"))


@pytest.mark.parametrize(
    "text",
    [TEXT, f"'{TEXT}'", base64.b64encode(DOCUMENT).decode(), TEXT.replace('"', '\\"')],
    ids=["json", "quoted", "base64", "escaped"],
)
@pytest.mark.parametrize("name", ["path", "config_path"])
def test_a_license_in_the_place_of_a_path_gets_its_hint_and_is_not_shown(
    name: str, text: str
) -> None:
    sources = SystemLicenseSources(**{name: text})

    error = refused(sources)

    assert error.fault is Fault.PATH_NOT_FOUND
    assert "This is a license, not a path" in error.hint
    assert signature_of(DOCUMENT) not in error.line
    assert sources.paths == ()


def test_a_signature_in_the_place_of_a_path_is_not_shown() -> None:
    signature = signature_of(DOCUMENT)

    reading = only(SystemLicenseSources(path=signature))

    assert signature not in repr(reading) + str(reading.error)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("'{}'", "quotes"),
        ('"{}"', "quotes"),
        ("~/license.json", "whole path"),
        ("file://{}", "://"),
    ],
)
def test_a_path_that_only_a_shell_would_understand_gets_its_hint(
    tmp_path: Path, written: str, word: str
) -> None:
    error = refused(SystemLicenseSources(path=written.replace("{}", str(file(tmp_path)))))

    assert error.fault is Fault.PATH_NOT_FOUND
    assert word in error.hint


def test_a_file_whose_name_looks_like_a_slip_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    file(tmp_path / "~")

    assert only(SystemLicenseSources(path="~/license.json")).document == DOCUMENT


def test_control_characters_of_a_path_are_escaped(tmp_path: Path) -> None:
    error = refused(SystemLicenseSources(path=f"{tmp_path}/a\x1b[31m\t.json"))

    assert "\x1b" not in error.line
    assert r"\x1b[31m\t.json" in error.line


def test_bytes_of_the_environment_that_are_no_text_reach_the_verifier_as_they_were() -> None:
    inline = os.fsdecode(b'{"\xff')

    assert only(SystemLicenseSources(inline=inline)).document == b'{"\xff'


@given(
    source=st.sampled_from(["inline", "path", "config_inline", "config_path"]),
    before=st.sampled_from(["", "'", "“", " ", "\n", "x=", "{", "/tmp/"]),
    secret=st.sampled_from([TEXT, signature_of(DOCUMENT), LICENSE_KEY]),
)
def test_no_secret_is_shown_wherever_it_was_put(source: str, before: str, secret: str) -> None:
    sources = SystemLicenseSources(**{source: before + secret})

    reading = only(sources)

    told = repr(sources) + repr(reading) + reading.source
    if reading.error is not None:
        told += repr(reading.error) + reading.error.line
    # A whole path with folders is what the operator has to see, and holds no license.
    if not (before == "/tmp/" and secret is not TEXT):
        assert secret not in told
        assert signature_of(DOCUMENT) not in told
