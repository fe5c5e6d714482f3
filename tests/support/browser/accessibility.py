"""Whether people without eyes, colours or a mouse can use what a page shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.browser.chromium import Page

try:
    import axe_core_python
except ImportError:
    AXE = None
else:
    AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")

_LOOK = """axe.run(document, %s).then((found) => found.violations.map(
  (each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`))"""


def findings(page: Page) -> list[str]:
    """What axe-core finds wrong. It comes over the protocol: the page's policy stays in force."""
    if AXE is None:
        pytest.skip("there is no axe-core-python; scripts/setup dev installs it")
    if not page.value("typeof window.axe === 'object'"):
        page.value(f"{AXE}; 0")
    asked = {"runOnly": {"type": "tag", "values": RULES}}
    found = page.value(_LOOK % json.dumps(asked))
    assert isinstance(found, list)
    return found
