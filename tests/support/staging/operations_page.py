"""docs/operations.md as tests read it, and as they rewrite what the daemon says differently now."""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

from support.staging.staging import Said

PATH = Path(__file__).parents[3] / "docs" / "operations.md"
UPDATE = "UPDATE_DOCS=1 .venv/bin/python -m pytest tests/system/test_staged_failures.py"

_ENTRY = re.compile(r"^#### (.+)\n\n```\n(.+)\n```\n\n(.+?\.)(?= |$)", re.MULTILINE)


def text(page: Path = PATH) -> str:
    return page.read_text(encoding="utf-8")


def entries() -> dict[str, Said]:
    """What the page says that comes of each way to get it wrong, by its heading."""
    return {heading: Said(line, outcome) for heading, line, outcome in _ENTRY.findall(text())}


def headings() -> list[str]:
    """Every heading that should be one of an entry, whether it is well-formed or not."""
    return re.findall(r"^#### (.+)$", text(), re.MULTILINE)


def blocks(language: str, page: Path = PATH) -> list[str]:
    """The content of every fenced block of that language, which may be ""."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE)
    return [content for marked, content in fenced if marked == language]


def script(name: str, page: Path = PATH) -> str:
    """The shell commands under `# name`."""
    (found,) = (block for block in blocks("sh", page) if block.startswith(f"# {name}\n"))
    return found


def rewrite(heading: str, said: Said) -> None:
    """Put what was said below `heading`. Several processes may do so at once."""
    with PATH.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)
        content = page.read()

        def updated(entry: re.Match[str]) -> str:
            if entry[1] != heading:
                return entry[0]
            return f"#### {heading}\n\n```\n{said.line}\n```\n\n{said.outcome}"

        page.seek(0)
        page.write(_ENTRY.sub(updated, content))
        page.truncate()
