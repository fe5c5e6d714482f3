"""Laziness has one seam: `lazy_import`, beside an import that the law and the checkers see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted((ROOT / "daemon").rglob("*.py"))
SEAM = "daemon/kong_mesh_cp/core/lazy_import.py"
# Nothing lazy: checkers take its decorator for the one of the standard library.
DATACLASS = "daemon/kong_mesh_cp/core/dataclass.py"

# Inside of a function, and why.
IMPORTS_IN_FUNCTIONS = {
    ("daemon/kong_mesh_cp/compose/state.py", "psycopg"),  # whether it is there is the question
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _is_for_checkers(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _imported(nodes: list[ast.stmt]) -> dict[str, str]:
    """The modules that imports would bind, by the name they get."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _lazy(nodes: list[ast.stmt]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(
                    func=ast.Name(id="lazy_import"), args=[ast.Constant(value=str(module))]
                ),
            ):
                found[name] = module
            case _:
                pytest.fail(f"line {node.lineno}: nothing else belongs there")
    return found


def _calls(tree: ast.Module) -> int:
    return sum(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "lazy_import"
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("path", [each for each in PRODUCT if _name(each) != DATACLASS], ids=_name)
def test_what_is_imported_lazily_is_what_the_checkers_see(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen = 0
    for node in tree.body:
        if _is_for_checkers(node):
            assert isinstance(node, ast.If)
            lazy = _lazy(node.orelse)
            assert lazy.items() <= _imported(node.body).items()
            seen += len(lazy)
    assert seen == _calls(tree), "a lazy import without an import for the checkers beside it"


def _imports_in_functions() -> Iterator[tuple[str, str]]:
    for path in PRODUCT:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        for module in _imported([node]).values():
                            yield _name(path), module


def test_nothing_else_is_imported_inside_of_functions() -> None:
    assert set(_imports_in_functions()) == IMPORTS_IN_FUNCTIONS


def test_modules_are_imported_by_their_names_nowhere_else() -> None:
    users = {
        _name(path)
        for path in PRODUCT
        if re.search(r"import_module|__import__", path.read_text(encoding="utf-8"))
    }
    assert users == {
        SEAM,
        # Kinds of resources have a table of their own.
        "daemon/kong_mesh_cp/core/resources/lazy_kinds.py",
        # Messages of Envoy that patches name are looked for in their packages.
        "daemon/kong_mesh_cp/core/xds/envoy/known_messages.py",
    }
