"""Modules that are imported with their first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.lazy_import import lazy_import


def run(code: str, folder: Path) -> str:
    """What `code` prints in a new process that finds modules in `folder`."""
    environ = {"PYTHONPATH": ":".join([str(folder), *sys.path])}
    header = "from kong_mesh_cp.core.lazy_import import lazy_import\n"
    done = subprocess.run(
        [sys.executable, "-c", header + code],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "speaking.py").write_text('print("imported")\nWORD = "word"\n')
    return tmp_path


def test_a_module_is_imported_when_it_is_used_and_not_before(folder: Path) -> None:
    code = 'speaking = lazy_import("speaking")\nprint("before")\nprint(speaking.WORD)'
    assert run(code, folder) == "before\nimported\nword\n"


def test_it_is_imported_once(folder: Path) -> None:
    code = (
        'one, other = lazy_import("speaking"), lazy_import("speaking")\n'
        "print(one.WORD, one.WORD, other.WORD)"
    )
    assert run(code, folder) == "imported\nword word word\n"


def test_what_is_used_are_the_things_of_the_module_itself() -> None:
    import decimal

    assert lazy_import("decimal").Decimal is decimal.Decimal


def test_a_module_that_is_not_there_is_missed_by_its_first_use() -> None:
    absent = lazy_import("kong_mesh_cp.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = absent.ANYTHING


def test_what_a_module_does_not_have_is_an_attribute_error() -> None:
    decimal = lazy_import("decimal")
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = decimal.no_such_name
    assert not hasattr(decimal, "no_such_name")
