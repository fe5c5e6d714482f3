"""A secret in the environment: neither children nor /proc show it any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.shell.host.environment import wipe_initial_environment

SECRET = "canary-9b1de2"

WIPE = """
import json, os, subprocess, sys
from pathlib import Path
from kong_mesh_cp.shell.host.environment import wipe_initial_environment
os.environ.pop("SECRET", None)
gone = wipe_initial_environment("SECRET")
child = subprocess.run(
    [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"],
    capture_output=True, check=True)
print(json.dumps({
    "gone": gone,
    "own": Path("/proc/self/environ").read_bytes().decode(),
    "child": json.loads(child.stdout),
}))
"""


def wiped(environ: dict[str, str], *wrapper: str) -> dict[str, object]:
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", WIPE],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        capture_output=True,
        check=True,
    )
    facts: dict[str, object] = json.loads(done.stdout)
    return facts


@pytest.mark.parametrize("value", [SECRET, SECRET * 500, SECRET + "=x\ny=z", ""])
def test_the_value_is_gone_from_the_block_the_process_was_started_with(value: str) -> None:
    facts = wiped({"BEFORE": "1", "SECRET": value, "AFTER": "2"})

    assert facts["gone"] is True
    own = str(facts["own"]).split("\0")
    assert f"SECRET={'*' * len(value)}" in own
    assert SECRET not in str(facts["own"])


def test_the_other_variables_stay_as_they_were() -> None:
    facts = wiped({"SECRET": SECRET, "SECRETS": "kept", "NOT_SECRET": "SECRET=kept"})

    own = str(facts["own"]).split("\0")
    assert "SECRETS=kept" in own
    assert "NOT_SECRET=SECRET=kept" in own


def test_a_child_does_not_inherit_it() -> None:
    child = wiped({"SECRET": SECRET, "AFTER": "2"})["child"]

    assert isinstance(child, dict)
    assert "SECRET" not in child
    assert child["AFTER"] == "2"


def test_a_variable_that_was_never_there_counts_as_gone() -> None:
    assert wiped({})["gone"] is True


def test_a_program_whose_name_has_parentheses_and_spaces_is_no_trap(tmp_path: Path) -> None:
    # proc(5): the name stands in parentheses in the line that says where the environment lies.
    trap = tmp_path / "a) 1 (b"
    trap.symlink_to(sys.executable)
    done = subprocess.run(
        [trap, "-c", WIPE],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "SECRET": SECRET},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["gone"] is True
    assert SECRET not in json.loads(done.stdout)["own"]


def test_where_proc_is_hidden_nothing_is_wiped_and_nothing_is_raised(tmp_path: Path) -> None:
    assert not wipe_initial_environment("SECRET", tmp_path / "nowhere")
