"""The limit of open files: raised as far as allowed, and told when that is not enough."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

RAISE = """
import logging, resource, sys
from kong_mesh_cp.shell.host.descriptors import raise_descriptor_limit
wanted, soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
logging.basicConfig(format="%(message)s")
raise_descriptor_limit(wanted)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def raised(wanted: int, soft: int, hard: int) -> tuple[tuple[int, int], str]:
    done = subprocess.run(
        [sys.executable, "-c", RAISE, str(wanted), str(soft), str(hard)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    new_soft, new_hard = map(int, done.stdout.split())
    return (new_soft, new_hard), done.stderr


def test_the_limit_is_raised_to_what_is_wanted_and_no_further() -> None:
    assert raised(700, 256, 1000) == ((700, 1000), "")


def test_a_limit_that_is_high_enough_stays() -> None:
    assert raised(200, 256, 1000) == ((256, 1000), "")


@pytest.mark.parametrize("soft", [256, 600])
def test_what_may_not_be_had_is_reported_with_the_remedy(soft: int) -> None:
    limits, said = raised(700, soft, 600)

    assert limits == (600, 600)
    assert said.startswith("descriptors-few: this process may open 600 files")
    assert "LimitNOFILE=700" in said
    assert said.count("\n") == 1


def test_this_process_is_left_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised(700, 256, 1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
