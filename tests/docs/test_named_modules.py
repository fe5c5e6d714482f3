"""A module that a page names is there, under the name and in the folder that the page gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SOURCES = [
    f"/{path.relative_to(ROOT)}"
    for tree in ("daemon", "tests")
    for path in (ROOT / tree).rglob("*.py")
]


def named(text: str) -> set[str]:
    return set(re.findall(r"[`*]([\w./-]+\.py)[`*]", text))


def test_pages_name_modules() -> None:
    found = set().union(*(named(page.read_text(encoding="utf-8")) for page in PAGES))
    assert "core/errors.py" in found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_module_that_a_page_names_is_there(page: Path) -> None:
    gone = {
        name
        for name in named(page.read_text(encoding="utf-8"))
        if not any(source.endswith(f"/{name}") for source in SOURCES)
    }
    assert not gone
