"""The repository says what it is: scripts run, documents name what exists."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
# Blocks of code, and quotes within a line: regular expressions in them look like links.
QUOTED = re.compile(r"^```.*?^```|(`+)(?:(?!\1)[^\n])+\1", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").iterdir()), ids=lambda p: p.name)
def test_every_script_is_executable_and_says_what_it_does(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines() if script.is_file() else []
    if not lines or not lines[0].startswith("#!"):
        pytest.skip("not a script")
    assert os.access(script, os.X_OK)
    assert re.match(r'# |"""', lines[1]), "the second line says what it does"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_local_link_of_a_document_leads_somewhere(document: Path) -> None:
    text = QUOTED.sub("", document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_license_of_the_sources_is_the_one_pyproject_names() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]


def test_a_shell_script_parses() -> None:
    for script in (ROOT / "scripts").iterdir():
        if script.is_file() and script.read_text(encoding="utf-8").startswith(
            "#!/usr/bin/env bash"
        ):
            subprocess.run(["bash", "-n", script], check=True)
