"""The pages for people say what the rows say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.staging.settings_pages import manual_list, markdown_table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/configuration.md"
MANUAL = ROOT / "packaging/man/kong-mesh-cp.toml.5"
UPDATE = "UPDATE_PAGES=1 .venv/bin/pytest tests/settings/test_pages.py"


@pytest.mark.parametrize(
    ("path", "begin", "end", "made"),
    [
        (
            PAGE,
            "<!-- settings: made from the rows -->\n",
            "<!-- end of settings -->\n",
            markdown_table(),
        ),
        (MANUAL, '.\\" settings: made from the rows\n', '.\\" end of settings\n', manual_list()),
    ],
    ids=["configuration.md", "kong-mesh-cp.toml.5"],
)
def test_a_page_lists_the_settings_as_they_are(path: Path, begin: str, end: str, made: str) -> None:
    head, _, rest = path.read_text(encoding="utf-8").partition(begin)
    listed, _, tail = rest.partition(end)
    if os.environ.get("UPDATE_PAGES"):
        path.write_text(f"{head}{begin}{made}{end}{tail}", encoding="utf-8")
        return
    assert listed == made, f"the settings changed; update the page with: {UPDATE}"


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_the_manual_is_clean_roff() -> None:
    result = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(MANUAL)],
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
        capture_output=True,
        check=True,
    )
    assert result.stderr == b""
    assert len(result.stdout) > 1000
