"""Packages built once a run from a snapshot of this checkout, and machines to install them on."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.licenses.licenses import keyring_json
from support.packages.box import booted
from support.packages.installed import Machine
from support.packages.packages import ENVOY_VERSION, NEWER, TREE, VERSION, Packages, build

EX_UNAVAILABLE = 69
SHOWN_AT = "/packages"


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a package is made of, as it was when the run began."""
    shared = _shared(tmp_path_factory)
    with (shared / "snapshot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = shared / "snapshot"
        if not target.exists():
            partial = shared / "snapshot.partial"
            partial.mkdir()
            for name in TREE:
                source = Path.cwd() / name
                if source.is_dir():
                    shutil.copytree(
                        source, partial / name, ignore=shutil.ignore_patterns("__pycache__")
                    )
                else:
                    shutil.copy2(source, partial / name)
            (partial / "vendor-keys.json").write_bytes(keyring_json())
            partial.rename(target)
    return target


@pytest.fixture(scope="session")
def packages(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The control plane's: of this version and of a later one; they believe the tests' keys."""
    made = Packages(_shared(tmp_path_factory) / "packages", "kong-mesh-cp", VERSION)
    _provide(snapshot, made, NEWER)
    return made


@pytest.fixture(scope="session")
def proxy_packages(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """kong-mesh-dp's, of this version and of a later one; in the same folder."""
    made = Packages(_shared(tmp_path_factory) / "packages", "kong-mesh-dp", VERSION)
    _provide(snapshot, made, NEWER)
    return made


@pytest.fixture(scope="session")
def envoy_packages(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Envoy's; in the same folder as those of the control plane."""
    made = Packages(
        _shared(tmp_path_factory) / "packages", "kong-mesh-envoy", ENVOY_VERSION, release="1"
    )
    _provide(snapshot, made)
    return made


def _provide(snapshot: Path, wanted: Packages, *later: str) -> None:
    """Build them, and of `later` versions, too, unless another worker has."""
    if shutil.which("strip") is None:
        pytest.skip("no strip here: apt-get install binutils")
    wanted.folder.mkdir(exist_ok=True)
    partial = wanted.folder.parent / f"{wanted.name}.partial"
    with partial.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if wanted.deb.exists():
            return
        for version in (*later, None):
            arguments = ["--package", wanted.name, "--keyring", "vendor-keys.json"]
            build(snapshot, partial, *arguments, *(("--version", version) if version else ()))
        # What says that all are there comes last.
        for package in sorted(partial.iterdir(), key=lambda path: path.name == wanted.deb.name):
            package.rename(wanted.folder / package.name)


@pytest.fixture(params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest, packages: Packages) -> Iterator[Machine]:
    """A booted Debian: 12 (systemd 252, CPython 3.11) and 13 (257, 3.13); nothing installed yet."""
    root = system_root(request.param)
    with booted(root, binds={packages.folder: SHOWN_AT}) as box:
        yield Machine(box, SHOWN_AT)


@pytest.fixture(scope="session")
def rpm_root() -> Path:
    """The root of a system with rpm and dnf."""
    return system_root("rpmhost")


@pytest.fixture(scope="session")
def database_root() -> Path:
    """The root of a Debian 12 with PostgreSQL."""
    return system_root("database")


@pytest.fixture(scope="session")
def redirected_root() -> Path:
    """The root of a Debian 12 with iptables."""
    return system_root("redirected")


def system_root(name: str) -> Path:
    made = subprocess.run(
        ["scripts/system-roots", name], text=True, capture_output=True, check=False
    )
    if made.returncode == EX_UNAVAILABLE:
        pytest.skip(made.stderr.strip().splitlines()[-1])
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def _shared(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run: with pytest-xdist, the same one for every worker."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
