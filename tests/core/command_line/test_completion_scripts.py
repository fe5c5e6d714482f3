"""The scripts for shells: sound, and about their own program alone."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from kong_mesh_cp.core.command_line.completion_scripts import SHELLS, script

PROGRAMS = ["kumactl", "kong-mesh-cp", "kong-mesh-license"]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_asks_its_program_and_no_other(shell: str, program: str) -> None:
    text = script(shell, program)

    assert f"{program} __complete -- " in text
    assert "PROGRAM" not in text
    assert "FUNCTION" not in text
    assert not [other for other in PROGRAMS if other != program and other in text]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_sound_for_its_shell(shell: str, program: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run(
        [shell, "-n"],
        input=script(shell, program),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (checked.returncode, checked.stderr) == (0, "")
