"""A Debian with rpm and dnf that looks like their home: a shim provides the names of an RPM
distribution for what Debian brings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.packages.box import Box, booted

_RECIPE = Path("tests/packages/rpm-host.yaml")
_SHIM = "rpm-host-1.0.0-1.noarch.rpm"


@contextmanager
def rpm_host(root: Path, packages: Path, folder: Path) -> Iterator[Box]:
    """It sees `packages` as /packages. `folder`: an empty one, for the shim."""
    _make_shim(folder)
    with booted(root, binds={packages: "/packages", folder: "/shim"}) as box:
        box.sh(f"rpm --upgrade --nodeps /shim/{_SHIM}")
        yield box


def _make_shim(folder: Path) -> None:
    preset = folder / "disable.preset"
    preset.write_text("disable *\n")
    nfpm = Path(sys.executable).with_name("nfpm")
    subprocess.run(
        [nfpm, "package", "-f", _RECIPE, "-p", "rpm", "-t", f"{folder}/"],
        check=True,
        capture_output=True,
        env={**os.environ, "PRESET": str(preset)},
    )


def dnf(box: Box, verb: str, *what: str) -> str:
    """What it says; without any repository, so that all has to be there."""
    done = box.run("dnf", "-y", "--disablerepo=*", verb, *what)
    assert done.status == 0, done.text
    return done.text
