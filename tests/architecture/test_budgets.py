"""The sizes and habits that reviews would otherwise have to count."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
BROAD_EXCEPTS_MAX = 3  # around one handler, one handshake, one proxy's configuration
NAMELESS = {"manager", "helper", "helpers", "utils", "util", "common", "misc"}
PRODUCT = sorted((ROOT / "daemon").rglob("*.py"))
EVERYTHING = [*PRODUCT, *sorted((ROOT / "tests").rglob("*.py"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_a_module_fits_its_line_budget(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_a_function_fits_its_line_budget(path: Path) -> None:
    too_long = {
        function.name: (function.end_lineno or 0) - function.lineno + 1
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert not too_long


def test_broad_excepts_stay_within_their_budget() -> None:
    broad = [
        f"{_name(path)}:{node.lineno}"
        for path in PRODUCT
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _caught(node.type) & {"Exception", "BaseException"})
    ]
    assert len(broad) <= BROAD_EXCEPTS_MAX, broad


def _caught(node: ast.expr) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def test_only_the_verifier_makes_a_license() -> None:
    makers = {
        _name(path)
        for path in PRODUCT
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "License"
    }
    assert makers == {"daemon/kong_mesh_cp/core/license/document.py"}


def test_no_module_is_named_for_nothing() -> None:
    assert not [
        _name(path) for path in PRODUCT if path.stem in NAMELESS or path.parent.name in NAMELESS
    ]


def test_folders_that_share_a_name_with_a_published_package_are_no_packages() -> None:
    for folder in ("daemon", "packaging", "systemd", "scripts", "tests"):
        assert not (ROOT / folder / "__init__.py").exists()


def test_every_package_says_in_one_sentence_what_lives_there() -> None:
    for path in PRODUCT:
        if path.name == "__init__.py":
            assert ast.get_docstring(_tree(path)), _name(path)


def test_nothing_is_left_to_do() -> None:
    marker = "TO" + "DO"
    assert not [_name(path) for path in EVERYTHING if marker in path.read_text(encoding="utf-8")]
