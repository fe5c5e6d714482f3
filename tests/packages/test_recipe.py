"""What the recipe says must agree with the rest of the project."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path("packaging/requirements.lock")


def test_every_runtime_dependency_is_locked_within_its_bounds() -> None:
    dependencies = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))

    for dependency in map(Requirement, dependencies):
        assert locked[dependency.name] in dependency.specifier


def test_the_lock_names_a_digest_for_every_file_and_no_index() -> None:
    text = LOCK.read_text()

    for requirement in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in requirement
    assert "://" not in text
    assert "--index" not in text


def test_the_lock_leaves_out_the_grpc_library_that_nothing_imports() -> None:
    assert "\ngrpcio==" not in LOCK.read_text()
    imports = subprocess.run(
        ["grep", "-rlE", r"^(import|from) grpc\b", "daemon"], capture_output=True, check=False
    )

    assert imports.stdout == b""


def test_no_committed_recipe_names_a_registry() -> None:
    for path in (*Path("packaging").rglob("*"), *Path("scripts").iterdir()):
        if path.is_file() and path.name != "copyright":
            assert not re.search(r"pypi\.org|deb\.debian\.org|pythonhosted", path.read_text()), path


def test_the_launcher_and_the_build_agree_on_the_interpreters() -> None:
    launcher = Path("packaging/kong-mesh-cp").read_text()
    oldest, newest = (
        int(re.findall(rf"^{name} = \(3, (\d+)\)", launcher, re.MULTILINE)[0])
        for name in ("OLDEST", "NEWEST")
    )
    minors = re.findall(r'MINORS="([^"]*)"', Path("scripts/build-packages").read_text())[0].split()

    assert minors == [f"3.{minor}" for minor in range(oldest, newest + 1)]
    for recipe in ("packaging/nfpm.yaml", "packaging/dp/nfpm.yaml"):
        text = Path(recipe).read_text()
        assert f"python3 (>= 3.{oldest}~)" in text
        assert f"python3 (<< 3.{newest + 1}~)" in text
        assert f"python3 >= 3.{oldest} with python3 < 3.{newest + 1}" in text


def test_the_scripts_are_read_by_a_plain_shell() -> None:
    for script in (
        *Path("packaging").glob("**/deb/p*"),
        *Path("packaging").glob("**/rpm/p*"),
        Path("packaging/restart-if-safe"),
    ):
        subprocess.run(["sh", "-n", script], check=True)


def test_the_unit_bounds_memory_and_tasks_as_the_page_reckons_and_dumps_no_core() -> None:
    unit = Path("systemd/kong-mesh-cp.service").read_text()
    page = Path("docs/operations.md").read_text()
    bounds = dict(
        re.findall(r"^(MemoryHigh|MemoryMax|TasksMax|LimitCORE)=(\S+)$", unit, re.MULTILINE)
    )

    assert bounds.pop("LimitCORE") == "0"  # one would hold the license
    assert set(bounds) == {"MemoryHigh", "MemoryMax", "TasksMax"}
    for name, value in bounds.items():
        assert f"{name}={value}" in page
