"""The command line of `kuma-dp`, from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kuma_dp.command_line import given_flags, given_pairs, parser
from kuma_dp.given.options import OPTIONS, WITHOUT_EFFECT


def kuma_dp(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kuma_dp", *arguments],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_flag_of_the_original_is_taken() -> None:
    words = ["run"]
    for option in OPTIONS:
        if option.flag:
            value = {"--proxy-type": "ingress", "--drain-time": "5s"}.get(option.flag, "1")
            value = {"--envoy-log-level": "info"}.get(option.flag, value)
            value = {"--envoy-component-log-level": "a:info"}.get(option.flag, value)
            words += [f"{option.flag}={value}"]
    words += [f"{flag}=1" for flag, _ in WITHOUT_EFFECT if flag]

    flags = given_flags(parser().parse_args(words))

    assert set(flags) == {option.name for option in OPTIONS if option.flag} | {
        flag for flag, _ in WITHOUT_EFFECT if flag
    }
    assert flags["drain_seconds"] == 5.0


def test_only_what_was_given_is_a_flag_and_short_forms_are_the_originals() -> None:
    arguments = parser().parse_args(["run", "-d", "dp.yaml", "-v", "a=1,b=2", "-v", "c=3"])

    assert given_flags(arguments) == {"resource_path": "dp.yaml"}
    assert given_pairs(arguments) == {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize("words", [["--log-level", "debug", "run"], ["run", "--log-level=debug"]])
def test_the_log_level_stands_before_or_behind_the_command(words: list[str]) -> None:
    assert parser().parse_args(words).log_level == "debug"


def test_the_version_is_the_one_that_is_spoken() -> None:
    done = kuma_dp("version")
    assert done.stdout.splitlines()[0] == "Kong Mesh: 2.10.11"
    assert kuma_dp("version", "--detailed").stdout.startswith("Product:       Kong Mesh\n")


def test_help_tells_of_every_flag_and_variable() -> None:
    text = " ".join(kuma_dp("run", "--help").stdout.split()).replace("- ", "-")
    for option in OPTIONS:
        assert option.flag in text
        assert option.variable in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--nme=x"], 'unknown flag: --nme; did you mean "--name"?'),
        (["rnu"], 'unknown command "rnu" for "kuma-dp"; did you mean "run"?'),
        (["run", "--drain-time=30"], 'invalid argument "30" for "--drain-time" flag'),
        (["run", "--proxy-type=x"], "one of dataplane, ingress, egress"),
        ([], "a command is missing"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_names_the_word(words: list[str], says: str) -> None:
    done = kuma_dp(*words)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run"], "dataplane-name-missing"),
        (["run", "--mesh=m", "--name=n", "--cp-address=x"], "cp-address-unusable"),
        (["run", "--mesh=m", "--name=n", "--ca-cert-file=/none"], "ca-cert-unusable"),
        (["run", "--mesh=m", "--name=n", "--dataplane-token=x"], "dataplane-token-malformed"),
        (["run", "--dataplane-file=/none"], "dataplane-unreadable"),
        (["run", "--mesh=m", "--name=n", "-v", "x"], "setting-malformed"),
        (["run", "--mesh=m", "--name=n"], "envoy-missing"),
        (
            ["run", "--mesh=m", "--name=n", "--admission-socket=s", "--dataplane-token-file=t"],
            "setting-contradiction",
        ),
        (
            ["run", "--name=n", "--proxy-type=egress", "--admission-socket=s"],
            "setting-contradiction",
        ),
    ],
)
def test_what_somebody_has_to_correct_is_one_line_and_78(
    words: list[str], code: str, tmp_path: Path
) -> None:
    done = kuma_dp(*words, TMPDIR=str(tmp_path))

    assert done.returncode == 78, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"kuma-dp: {code}: ")
    assert last.endswith(".")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []  # no folder is left


def test_a_token_on_the_command_line_is_in_no_message() -> None:
    done = kuma_dp("run", "--mesh=m", "--name=n", "--dataplane-token=secret-of-mine")
    assert "secret-of-mine" not in done.stdout + done.stderr


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_start_with_closed_streams_is_no_defect(redirection: str, tmp_path: Path) -> None:
    dataplane = tmp_path / "dp.yaml"
    dataplane.write_text("type: Dataplane\nmesh: m\nname: n\n")
    program = f"{sys.executable} -m kuma_dp run --dataplane-file {dataplane} {redirection}"
    done = subprocess.run(
        ["/bin/bash", "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    if "2>" not in redirection:
        assert done.stderr.startswith("kuma-dp: envoy-missing: ")
