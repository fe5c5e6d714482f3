"""Every rule that comes from outside says where it can be checked: in a section of docs/wire."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "docs" / "wire"
PAGES = sorted(path for path in WIRE.glob("*.md") if path.name != "README.md")
PRODUCT = sorted((ROOT / "daemon").rglob("*.py"))
CODE = [
    *PRODUCT,
    *sorted(path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_citations.py"),
]
CITATION = re.compile(r"\b(docs/[\w./-]+\.md)(?:#([\w-]*))?")
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")
QUOTED = re.compile(r"(`+)(?:(?!\1).)+\1")
# Where a reader can go: an address, an RFC, a file of Kuma's sources, or what was seen running.
CHECKABLE = re.compile(r"\]\(https://[^)]+\)|\bRFC \d+|`(?:pkg|api|app|docs)/[^`]+`")
# Parentheses that hold nothing but numbers like 8.3, or end with one behind a comma. Durations and
# ratios begin with a zero or have a unit.
BARE_SECTION = re.compile(
    r"\((?:[^()]*, )?[1-9]\d?\.\d{1,2}(?:(?:, |–|-)\d{1,2}\.\d{1,2})*(?:: [^()]*)?\)"
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _outside_fences(page: Path) -> Iterator[str]:
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield line


def links(page: Path) -> list[tuple[str, str]]:
    """Target and anchor of each link; what is quoted is no link."""
    return [each for line in _outside_fences(page) for each in LINK.findall(QUOTED.sub("", line))]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: Counter[str] = Counter()
    named = set()
    for line in _outside_fences(page):
        if heading := re.fullmatch(r"#{1,6} (.+?)\s*", line):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").lower()
            anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            named.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
            found[anchor] += 1
    return frozenset(named)


def remarks(path: Path) -> Iterator[tuple[int, str]]:
    """The comments and docstrings of a module, with the line that each begins on."""
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str() as said)):
                yield node.lineno, said
            case _:
                pass


def broken_citations(path: Path) -> list[str]:
    found = []
    for cited, anchor in CITATION.findall(path.read_text(encoding="utf-8")):
        page = ROOT / cited
        if not page.is_file():
            found.append(f"{cited}: no such page")
        elif anchor and anchor not in anchors(page):
            found.append(f"{cited}#{anchor}: no such heading")
        elif not anchor and page.parent == WIRE:
            found.append(f"{cited}: which section?")
    return found


def numbered_citations(path: Path) -> list[str]:
    return [
        f"{_name(path)}:{line}: {said.strip()[:80]}"
        for line, said in remarks(path)
        if re.search(r"(?i)wire\s+contract", said) or BARE_SECTION.search(said)
    ]


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_every_citation_leads_to_a_heading_of_a_page(path: Path) -> None:
    assert not broken_citations(path)


def test_code_cites_no_section_of_a_document_outside_the_repository() -> None:
    assert not [each for path in PRODUCT for each in numbered_citations(path)]


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("The routes of all types (2.1).", True),
        ("Shown as `/rules` has them (4.6, 8.4)", True),
        ("Roles (`KUMA_ACCESS_TYPE=rbac`, 12.3).", True),
        ("What is counted (4.4–4.6).", True),
        ("Single values (8.5: the generic texts).", True),
        ("Facts of the wire contract", True),
        ("Takes long (1.5 s), at worst (0.02)", False),
        ("As Kuma has it (Kuma 2.10), by RFC 9112 (section 3.2)", False),
        ("See (docs/wire/policies.md#merging).", False),
    ],
)
def test_a_citation_by_number_is_known_as_such(tmp_path: Path, said: str, is_one: bool) -> None:
    module = tmp_path / "module.py"
    module.write_text(f'"""{said}"""\n', encoding="utf-8")
    assert (
        any(
            re.search(r"(?i)wire\s+contract", text) or BARE_SECTION.search(text)
            for _, text in remarks(module)
        )
        == is_one
    )


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_section_names_a_source_that_anybody_can_look_up(page: Path) -> None:
    text = "\n".join(_outside_fences(page))
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert sections
    for section in sections:
        title = section.partition("\n")[0]
        sources = [line for line in section.splitlines() if line.startswith("Source: ")]
        assert len(sources) == 1, title
        assert section.rstrip().endswith(sources[0]), f"{title}: the source is the last line"
        assert CHECKABLE.search(sources[0]), title


@pytest.mark.parametrize("page", [*PAGES, WIRE / "README.md"], ids=_name)
def test_every_link_between_pages_leads_to_a_heading(page: Path) -> None:
    for target, anchor in links(page):
        if "://" not in target:
            other = (page.parent / target).resolve() if target else page
            assert other.is_file(), target
            assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


def test_the_first_page_names_all_others() -> None:
    assert {target for target, _ in links(WIRE / "README.md")} >= {page.name for page in PAGES}
