"""Folders that fit in one look, names that are found, words of the glossary only."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "daemon" / "kong_mesh_cp"
MODULES_IN_A_FOLDER_MAX = 20
FOLDERS = sorted(
    path
    for base in (ROOT / "daemon", ROOT / "tests")
    for path in (base, *base.rglob("*"))
    if path.is_dir() and path.name != "__pycache__"
)

# Words that the field has others for (docs/glossary.md): in no module's and no public name.
RETIRED = {
    *("birth", "births", "born", "newborn", "ensuring", "slip", "slips", "tally", "census"),
    *("complaints", "herald", "doorman", "late", "quoting", "judge", "judged", "apart"),
}


def modules(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.py") if path.name != "__init__.py"]


def words(name: str) -> set[str]:
    """The words of a name in snake or camel case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def public_names(path: Path) -> Iterator[str]:
    """What a module offers at its top level, and the public methods of its public classes."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield node.name
            for below in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from () if below.name.startswith("_") else (below.name,)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_fits_in_one_look(folder: Path) -> None:
    product = folder.is_relative_to(PRODUCT) or folder.is_relative_to(ROOT / "tests" / "support")
    if product:
        assert len(modules(folder)) <= MODULES_IN_A_FOLDER_MAX


def test_no_two_modules_of_core_and_usecases_have_one_name() -> None:
    named = defaultdict(list)
    for layer in ("core", "usecases"):
        for path in (PRODUCT / layer).rglob("*.py"):
            if path.name != "__init__.py":
                named[path.name].append(str(path.relative_to(PRODUCT)))
    assert not [paths for paths in named.values() if len(paths) > 1]


def test_no_name_is_a_retired_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "daemon").rglob("*.py"))
        for name in (path.stem, *public_names(path))
        if words(name) & RETIRED
    ]
    assert not found


def public_classes(path: Path) -> Iterator[ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_every_public_class_says_what_it_is() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {kind.name}"
        for path in sorted((ROOT / "daemon").rglob("*.py"))
        for kind in public_classes(path)
        if not ast.get_docstring(kind)
    ]
    assert not silent
