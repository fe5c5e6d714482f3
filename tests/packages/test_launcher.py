"""Compiled code is believed only where nobody but its user and root could have put it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LAUNCHER = Path("packaging/kong-mesh-cp")
NOBODY = 65534
PROGRAM = """\
import sys

def main():
    print(sys.pycache_prefix, sys.dont_write_bytecode)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")


@pytest.fixture
def launched(tmp_path: Path) -> Path:
    """A bundle whose programs say where their compiled code goes."""
    bundle = tmp_path / "bundle"
    for package in ("kumactl", "kong_mesh_cp", "kuma_dp"):
        folder = bundle / "app" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(PROGRAM)
    (bundle / "build-id").write_text("abc\n")
    text = LAUNCHER.read_text().replace('"/usr/lib/kong-mesh-cp"', repr(str(bundle)))
    for name in ("kumactl", "kong-mesh-cp", "kuma-dp"):
        (tmp_path / name).write_text(text)
    return tmp_path


def cache(folder: Path, name: str = "kumactl", **environment: str) -> str | None:
    """Where compiled code goes; None: nowhere."""
    done = subprocess.run(
        [sys.executable, "-IS", str(folder / name)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    prefix, nowhere = done.stdout.split()
    assert (prefix == "None") == (nowhere == "True")
    return None if prefix == "None" else prefix


@pytest.fixture
def home() -> Iterator[Path]:
    """A home that others can enter, which they cannot do with pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="home-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def test_the_own_home_holds_the_cache_and_nobody_else_enters_it(launched: Path, home: Path) -> None:
    umask = os.umask(0o002)
    try:
        for _ in range(2):
            assert cache(launched, HOME=str(home)) == f"{home}/.cache/kumactl/pyc-abc"
    finally:
        os.umask(umask)
    assert (home / ".cache" / "kumactl").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", ".cache", ".cache/kumactl"])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_folder_that_others_can_write_is_not_used(
    launched: Path, home: Path, name: str, mode: int
) -> None:
    cache(launched, HOME=str(home))
    (home / ".cache").chmod(0o755)
    (home / name).chmod(mode)
    assert cache(launched, HOME=str(home)) is None


def test_what_lies_in_a_closed_home_may_have_any_mode(launched: Path, home: Path) -> None:
    cache(launched, HOME=str(home))
    home.chmod(0o700)
    (home / ".cache").chmod(0o775)
    assert cache(launched, HOME=str(home)) is not None


@needs_root
@pytest.mark.parametrize("name", ["", ".cache", ".cache/kumactl"])
def test_another_users_folder_is_not_used_by_root(launched: Path, home: Path, name: str) -> None:
    cache(launched, HOME=str(home))
    os.chown(home / name, NOBODY, NOBODY)
    assert cache(launched, HOME=str(home)) is None


@needs_root
def test_nothing_is_made_in_another_users_home(launched: Path, home: Path) -> None:
    os.chown(home, NOBODY, NOBODY)
    assert cache(launched, HOME=str(home)) is None
    assert cache(launched, HOME="/", XDG_CACHE_HOME=str(home)) is None
    assert cache(launched, "kong-mesh-cp", CACHE_DIRECTORY=str(home)) is None
    assert list(home.iterdir()) == []


@needs_root
def test_a_link_to_another_users_folder_is_not_used(launched: Path, home: Path) -> None:
    theirs = launched / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    (home / ".cache").symlink_to(theirs)
    assert cache(launched, HOME=str(home)) is None


@pytest.mark.parametrize("given", ["relative", "", "/proc/none/cache"])
def test_a_folder_that_cannot_be_is_no_reason_to_fail(launched: Path, given: str) -> None:
    assert cache(launched, "kong-mesh-cp", CACHE_DIRECTORY=given) is None


def test_the_daemon_uses_the_folder_of_its_unit(launched: Path, home: Path) -> None:
    folder = home / "unit"
    assert cache(launched, "kong-mesh-cp", CACHE_DIRECTORY=str(folder)) == f"{folder}/pyc-abc"
    assert cache(launched, "kong-mesh-cp", HOME=str(home)) is None


def test_kuma_dp_uses_the_folder_of_its_unit_or_that_of_its_user(
    launched: Path, home: Path
) -> None:
    folder = home / "unit"
    environment = {"HOME": str(home), "CACHE_DIRECTORY": str(folder)}
    assert cache(launched, "kuma-dp", **environment) == f"{folder}/pyc-abc"
    assert cache(launched, "kuma-dp", HOME=str(home)) == f"{home}/.cache/kuma-dp/pyc-abc"
    assert cache(launched, "kuma-dp") is None


def test_kuma_dp_finds_the_packages_envoy_behind_all_others(launched: Path) -> None:
    shown = launched / "bundle" / "app" / "kuma_dp" / "__main__.py"
    shown.write_text('import os\n\n\ndef main():\n    print(os.environ["PATH"])\n')
    done = subprocess.run(
        [sys.executable, "-IS", str(launched / "kuma-dp")],
        env={"PATH": "/opt/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "/opt/bin:/bin:/usr/lib/kong-mesh-envoy\n"
