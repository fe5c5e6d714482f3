from __future__ import annotations

import argparse
import functools
import io
import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from kong_mesh_cp.commands import license as license_command
from kong_mesh_cp.core.errors import ConfigurationError
from support.licenses.licenses import (
    LICENSE_KEY,
    STRANGER,
    TEST_VENDOR,
    at,
    keyring_json,
    license_document,
    payload_of,
    signature_of,
    signed,
)

NOW = at("2026-11-21T12:00:00")
QUESTIONS = ["verify", "inspect", "explain", "simulate"]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder with a keyring, and an environment that sets nothing."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("KMESH_", "KUMA_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
    put("keyring.json", keyring_json())
    put("empty.toml", b"")


def put(name: str, content: bytes) -> Path:
    path = Path(name)
    path.touch(0o640)
    path.chmod(0o640)
    path.write_bytes(content)
    return path


def ask(line: str) -> int:
    """Run `license …` as the command line does, at NOW, with the keyring of these tests."""
    parser = argparse.ArgumentParser()
    license_command.add_parser(parser.add_subparsers(), clock=lambda: NOW)
    words = ["license", *line.split(), "--license-keyring", "keyring.json"]
    arguments = parser.parse_args([*words, "--config-file", "empty.toml"])
    status: int = arguments.run(arguments)
    return status


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("document", "status"),
    [
        (license_document(), 0),
        (license_document(expires="2026-12-01"), 3),
        (license_document(TEST_VENDOR), 3),
        (license_document(expires="2026-11-21"), 4),
        (license_document(STRANGER), 5),
        (license_document(created="2030-1-1"), 5),
        (b"{", 5),
        (b"", 5),
    ],
    ids=["valid", "soon", "test-key", "expired", "stranger", "future", "no-json", "empty"],
)
def test_the_exit_status_says_what_a_license_is_good_for(
    question: str, document: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    put("license.json", document)
    assert ask(f"{question} license.json") == status

    out, err = capsys.readouterr()
    assert bool(err) == (status in {4, 5})
    assert len(err.splitlines()) <= 1
    assert not err or err.startswith("kong-mesh-cp: license-")
    assert "Traceback" not in out + err


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("output", ["text", "json", "toml"])
@pytest.mark.parametrize(
    "document",
    [
        license_document(),
        license_document(STRANGER),
        license_document(expires="2023-11-09"),
        license_document() + b"x",
        license_document().replace(b'"license_key"', b'"dataplanes"'),
    ],
)
def test_no_answer_ever_holds_the_license_key_or_the_signature(
    question: str, output: str, document: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    put("license.json", document)
    ask(f"{question} license.json --output {output}")
    out, err = capsys.readouterr()
    assert LICENSE_KEY[:12] not in out + err
    assert signature_of(license_document()) not in out + err


def test_without_any_license_the_bundled_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for question in QUESTIONS:
        assert ask(question) == 6
        assert "pre-bundled" in capsys.readouterr().out


def test_without_a_file_the_sources_of_the_daemon_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put("license.json", license_document())
    monkeypatch.setenv("KMESH_LICENSE_PATH", str(path.absolute()))
    assert ask("inspect") == 0
    assert f"{path.absolute()} (KMESH_LICENSE_PATH)" in capsys.readouterr().out

    monkeypatch.setenv("KMESH_LICENSE_INLINE", license_document(customer="other").decode())
    assert ask("inspect") == 3
    out = capsys.readouterr().out
    assert "sources-conflict" in out
    assert "other" in out


def test_a_broken_source_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KMESH_LICENSE_PATH", "/no/such/license.json")
    assert ask("verify") == 5
    assert "license-path-not-found" in capsys.readouterr().err


def test_a_credential_counts_and_an_empty_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    put("license", b"{}")
    assert ask("verify") == 6
    put("license", license_document())
    assert ask("verify") == 0


def test_a_license_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(license_document())))
    assert ask("verify -") == 0


def test_json_and_toml_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    put("license.json", signed(payload_of(expires="2026-12-01", mesh_zones="3"), TEST_VENDOR))
    for question in QUESTIONS:
        ask(f"{question} license.json --output json")
        as_json = json.loads(capsys.readouterr().out)
        ask(f"{question} license.json --output toml")
        assert tomllib.loads(capsys.readouterr().out) == as_json
        assert as_json["verdict"] == "valid-with-warnings"
        assert as_json["customer"] == "company_inc"
        assert as_json["allowedDataplaneProxies"] == 20
        assert as_json["expirationDate"] == "2026-12-01T00:00:00Z"
        assert as_json["daysLeft"] == 9
        assert as_json["keyring"] == "override"
        assert as_json["unusedFields"] == ["mesh_zones"]
        assert [warning["code"] for warning in as_json["warnings"]] == ["expires-soon", "test-key"]


def test_claims_of_an_unsigned_document_are_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    put("license.json", license_document(STRANGER))
    ask("inspect license.json --output json")
    facts = json.loads(capsys.readouterr().out)
    assert "customer" not in facts
    assert facts["unverified"]["customer"] == "company_inc"
    assert facts["error"]["code"] == "license-bad-signature"

    ask("inspect license.json")
    assert "NOT ACCEPTED" in capsys.readouterr().out


def test_an_explanation_is_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    put("license.json", signed(payload_of(mesh_zones="3")))
    ask("explain license.json")
    text = capsys.readouterr().out
    for fact in ("company_inc", "20 data plane", "mesh_zones", "2032-11-09", "would start"):
        assert fact in text
    assert all(line.endswith(".") for line in text.splitlines())


def test_kong_s_own_licenses_are_not_claimed_to_be_verified(
    capsys: pytest.CaptureFixture[str],
) -> None:
    put("license.json", license_document(STRANGER))
    ask("explain license.json")
    assert "Licenses that Kong issued" in capsys.readouterr().out


def test_a_simulation_answers_for_another_day_and_load(capsys: pytest.CaptureFixture[str]) -> None:
    put("license.json", license_document())
    assert ask("simulate license.json --at 2032-11-08 --dataplanes 21") == 3
    out = capsys.readouterr().out
    assert "start: yes" in out
    assert "admit one more: yes" in out
    assert "expires-soon" in out
    assert "over-limit" in out

    assert ask("simulate license.json --at 2032-11-09T00:00:00Z --output json") == 4
    simulation = json.loads(capsys.readouterr().out)["simulation"]
    assert simulation["starts"] is False
    assert simulation["admits"] is True
    assert simulation["refusal"]["code"] == "license-expired"


def test_a_simulated_trial_starts_today(capsys: pytest.CaptureFixture[str]) -> None:
    ask("simulate --dataplanes 5 --output json")
    assert json.loads(capsys.readouterr().out)["simulation"]["admits"] is False
    ask("simulate --at 2026-12-22 --output json")
    assert json.loads(capsys.readouterr().out)["simulation"]["starts"] is False


@pytest.mark.parametrize(
    "wrong",
    ["--at tomorrow", "--at 2032-02-30", "--dataplanes -1", "--dataplanes ٥", "--dataplanes 1e9"],
)
def test_a_wrong_supposition_is_a_usage_error(wrong: str) -> None:
    with pytest.raises(SystemExit) as caught:
        ask(f"simulate {wrong}")
    assert caught.value.code == 2


def test_an_untidy_file_is_a_note_and_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    put("license.json", license_document()).chmod(0o644)
    assert ask("verify license.json") == 0
    assert "note: " in capsys.readouterr().out


def test_a_broken_keyring_is_the_caller_s_error() -> None:
    put("keyring.json", b"{}")
    with pytest.raises(ConfigurationError, match=r"keyring\.json"):
        ask("verify -")


def test_the_clock_is_the_machine_s_unless_it_is_given() -> None:
    parser = argparse.ArgumentParser()
    license_command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["license", "verify"])
    assert isinstance(arguments.run, functools.partial)
    assert arguments.run.keywords["clock"]().tzinfo is not None
