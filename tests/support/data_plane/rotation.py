"""A mesh gets another authority, by the command for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.data_plane.envoy_stage import Stage
from support.suites.patience import HANG_SECONDS


def rotate(stage: Stage, home: Path, authority: str) -> str:
    """What `kumactl rotate ca` says."""
    url = stage.daemon.addresses["api"]

    def kumactl(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "kumactl", *arguments],
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    kumactl("config", "control-planes", "add", "--name", "here", "--address", url, "--overwrite")
    return kumactl("rotate", "ca", "--mesh", "default", "--to", authority)
