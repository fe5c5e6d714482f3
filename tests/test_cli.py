"""The command line as a person meets it: help, versions, exit statuses, one line for an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp import __version__
from kong_mesh_cp.cli import EX_IOERR, EXIT_BROKEN_PIPE, main
from kong_mesh_cp.core.errors import EX_CONFIG
from support.licenses.licenses import keyring_json, license_document

USAGE = 2
COMMANDS = [
    [],
    ["run"],
    ["version"],
    ["reload"],
    ["completion"],
    *(["completion", shell] for shell in ("bash", "zsh", "fish")),
    ["migrate"],
    ["migrate", "up"],
    ["config"],
    ["config", "init"],
    ["config", "show"],
    ["config", "convert"],
    ["config", "check"],
    ["license"],
    ["license", "verify"],
    ["license", "inspect"],
    ["license", "explain"],
    ["license", "simulate"],
    ["license", "check-restart"],
    ["license", "reset-clock"],
    ["keys"],
    ["keys", "list"],
    *(["keys", verb] for verb in ("rotate", "retire", "revoke")),
    *(
        ["keys", verb, series]
        for verb in ("rotate", "retire", "revoke")
        for series in ("user", "zone", "dataplane")
    ),
    ["keys", "rotate", "sealing"],
    ["keys", "retire", "sealing"],
]


def spawned(
    *words: str, redirection: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The program in a shell of its own, so that it can meet closed and full streams."""
    program = [sys.executable, "-m", "kong_mesh_cp", *words]
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirection}; exit ${{PIPESTATUS[0]}}', "bash", *program],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def exit_of(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_of(*command, "--help") == 0

    said = capsys.readouterr()
    assert said.out.startswith(f"usage: {' '.join(['kong-mesh-cp', *command])} ")
    assert said.err == ""


def test_no_command_is_left_out_here(capsys: pytest.CaptureFixture[str]) -> None:
    def below(command: list[str]) -> list[list[str]]:
        exit_of(*command, "--help")
        names = re.findall(r"^ {4}([a-z][a-z-]*)(?: |$)", capsys.readouterr().out, re.MULTILINE)
        return [command, *(found for name in names for found in below([*command, name]))]

    assert sorted(below([])) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        [],
        ["license"],
        ["run", "--no-such-flag"],
        ["run", "--log-level", "loud"],
        ["run", "--conf", "x"],  # flags are not guessed from their beginning
        ["license", "reset-clock"],  # without a reason
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_of(*words) == USAGE
    said = capsys.readouterr()
    assert said.err.startswith("usage: kong-mesh-cp")
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["rnu"], "run"),
        (["licence", "explain"], "license"),
        (["license", "explian"], "explain"),
        (["config", "shw"], "show"),
        (["run", "--confg-file", "x"], "--config-file"),
        (["run", "--baner"], "--banner"),
    ],
)
def test_the_nearest_command_or_flag_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_of(*words) == USAGE
    assert f'did you mean "{meant}"?' in capsys.readouterr().err


@pytest.mark.parametrize("words", [["qqqq"], ["run", "--qqqq"], ["license", "qqqq"]])
def test_nothing_is_guessed_where_nothing_is_near(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_of(*words) == USAGE
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "kong-mesh-cp __complete -- " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lic"], ["license"]),
        (["license", "ex"], ["explain"]),
        (["run", "--lic"], ["--license-keyring"]),
        (["config", "show", ""], []),
        (["completion", ""], ["bash", "fish", "zsh"]),
    ],
)
def test_a_shell_is_told_what_may_come_next(
    words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["__complete", "--", *words]) == 0
    assert capsys.readouterr().out.split() == expected


def test_the_version_is_said_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"kong-mesh-cp {__version__}\n"
    assert exit_of("--version") == 0
    assert capsys.readouterr().out == f"kong-mesh-cp {__version__}\n"


def test_an_error_is_one_line_with_a_code_and_its_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "no\nsuch.toml"

    assert main(["config", "show", "--config-file", str(missing)]) == EX_CONFIG

    said = capsys.readouterr()
    assert re.fullmatch(r"kong-mesh-cp: [a-z-]+: .+\. .+\n", said.err)
    assert said.out == ""


@pytest.mark.parametrize(
    ("manager", "remedy"),
    [({}, "kong-mesh-cp run"), ({"NOTIFY_SOCKET": "@nobody"}, "systemctl start kong-mesh-cp")],
    ids=["by hand", "as a service"],
)
def test_a_remedy_is_for_who_started_it(
    tmp_path: Path, manager: dict[str, str], remedy: str
) -> None:
    (tmp_path / "keyring.json").write_bytes(keyring_json())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kong_mesh_cp", "run"),
            *("--license-keyring", str(tmp_path / "keyring.json")),
        ],
        env={
            "PATH": os.environ["PATH"],
            "KUMA_GENERAL_WORK_DIR": str(tmp_path / "state"),
            "KMESH_ADMISSION_SOCKET": str(tmp_path / "a.sock"),
            "KMESH_LICENSE_INLINE": license_document(expires="2023-11-09").decode(),
            **manager,
        },
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == EX_CONFIG
    assert done.stderr.splitlines()[-1].endswith(f" and run: {remedy}")


def test_the_module_and_the_installed_program_are_the_same() -> None:
    program = Path(sys.executable).with_name("kong-mesh-cp")
    installed = subprocess.run([program, "version"], capture_output=True, text=True, check=True)

    assert installed.stdout == spawned("version").stdout == f"kong-mesh-cp {__version__}\n"


@pytest.mark.parametrize("words", [["license", "explain"], ["--help"], ["config", "init"]])
def test_a_reader_that_leaves_early_ends_it_quietly(words: list[str]) -> None:
    # The reader has closed its end before anything is written.
    program = [sys.executable, "-m", "kong_mesh_cp", *words]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as end:
        done = subprocess.run(
            program,
            stdout=end,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": "/nowhere"},
            check=False,
        )

    told = [line for line in done.stderr.splitlines() if not line.startswith(b"asked: ")]
    assert (done.returncode, told) == (EXIT_BROKEN_PIPE, [])


@pytest.mark.parametrize("words", [["version"], ["license", "explain"], ["--help"]])
def test_an_answer_that_cannot_be_written_is_reported(words: list[str]) -> None:
    done = spawned(*words, redirection=">/dev/full")

    assert done.returncode == EX_IOERR
    assert re.fullmatch(
        r"(asked: .+\n)?kong-mesh-cp: output-not-written: .+ No space left .+\n", done.stderr
    )


def test_a_closed_stdout_or_stderr_is_no_error() -> None:
    for redirection in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = spawned("version", redirection=redirection)
        assert (done.returncode, done.stderr) == (0, "")


def test_what_is_printed_to_a_closed_stream_ends_up_in_no_file(tmp_path: Path) -> None:
    target = tmp_path / "sample.toml"
    plain = tmp_path / "plain.toml"
    spawned("config", "init", "--output", str(plain))
    spawned("config", "init", "--output", str(target), redirection="<&- >&- 2>&-")

    assert target.read_text() == plain.read_text()


def test_a_locale_that_lacks_a_letter_does_not_end_an_answer_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "größe.toml"
    done = spawned(
        "config", "show", "--config-file", str(path), environment={"PYTHONIOENCODING": "ascii"}
    )

    assert done.returncode == EX_CONFIG
    assert "gr\\xf6" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_has_the_status_that_shells_expect() -> None:
    interrupted = (
        "import os, signal, sys, kong_mesh_cp.cli as cli\n"
        # Whoever runs the tests in the background of a shell has it ignored, and hands that down.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "cli._version = lambda arguments: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(cli.main(['version']))"
    )
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (130, b"")
