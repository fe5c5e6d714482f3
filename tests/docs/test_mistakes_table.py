"""The table of common mistakes: every row is made by what its last column names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from support.staging import operations_page
from support.staging.console_page import DOCS, commands, sections

TESTS = Path(__file__).parents[1]
ROWS_MIN = 65  # as many as were tried before there was a table
_, _, TABLE = operations_page.text().partition("## Common mistakes, and where each is told\n")
CELLS = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
CODE = re.compile(r"`([a-z]+(?:-[a-z0-9]+)+)`")


@dataclass(frozen=True)
class Row:
    mistake: str
    told: str
    remedy: str
    made_by: str

    @property
    def staged(self) -> list[str]:
        return re.findall(r"\(#([\w-]+)\)", self.made_by)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """Pages and sections whose commands a test runs."""
        return re.findall(r"\((\w+\.md)#([\w-]+)\)", self.made_by)

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(test_\w+)`", self.made_by)


ROWS = [Row(*cells) for cells in CELLS.findall(TABLE)[1:]]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


STAGED = {anchor(heading): said for heading, said in operations_page.entries().items()}


@cache
def functions() -> frozenset[str]:
    """The names of all tests."""
    pattern = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
    files = TESTS.rglob("test_*.py")
    return frozenset(name for file in files for name in pattern.findall(file.read_text()))


def test_every_line_of_the_table_is_a_row() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("|")]
    assert len(lines) == len(ROWS) + 2
    assert len({row.mistake for row in ROWS}) == len(ROWS) >= ROWS_MIN


@pytest.mark.parametrize("row", ROWS, ids=[row.mistake for row in ROWS])
def test_a_row_is_made_by_what_it_names(row: Row) -> None:
    assert row.staged or row.shown or row.tests
    assert set(row.tests) <= functions()
    for heading in row.staged:
        code = STAGED[heading].line.partition(":")[0]
        assert code in CODE.findall(row.told), heading
    for page, heading in row.shown:
        section = {anchor(title): text for title, text in sections(page).items()}[heading]
        assert any(command.said for command in commands(section)), DOCS / page
        assert (TESTS / f"docs/test_{page.removesuffix('.md')}_page.py").is_file()
