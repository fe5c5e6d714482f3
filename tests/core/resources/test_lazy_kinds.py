"""Kinds are imported when they are first asked for."""

from __future__ import annotations

import subprocess
import sys

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.registry import TYPES

# In a process of its own: here others have imported them all.
NAMES_THEN_ONE_KIND = """
import sys
from kong_mesh_cp.usecases.resources.kinds import KINDS

def imported():
    return [name for name in sys.modules if name.endswith((".mesh_trace", ".retry"))]

assert "MeshTrace" in KINDS and "Retry" in KINDS and "Config" not in KINDS
assert len(list(KINDS)) == len(KINDS) == 53
assert KINDS.get("Nonsense") is None
print(imported())
assert KINDS["MeshTrace"] is KINDS["MeshTrace"]
print(imported())
"""


def test_to_look_at_the_names_imports_nothing_and_to_take_a_kind_that_one_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NAMES_THEN_ONE_KIND],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[]", "['kong_mesh_cp.core.policy.kinds.mesh_trace']"]


def test_every_kind_stands_under_the_name_of_its_type() -> None:
    kinds = {**KINDS, **POLICY_KINDS}
    assert {name: kind.type for name, kind in kinds.items()} == {name: name for name in kinds}
    assert kinds.keys() <= TYPES.keys()
