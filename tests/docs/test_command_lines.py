"""No page shows a secret among the arguments of a process, where every user reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGES = [
    Path("README.md"),
    *sorted(Path("docs").rglob("*.md")),
    *sorted(Path("packaging/man").iterdir()),
]
# What a shell puts into an argument of kumactl or curl; the environment of a process is its own.
GIVEN_AWAY = re.compile(
    r"(?:--auth-conf|--headers|--var|-v) \S+=\$\(|Bearer \$|token=\$[({]|-u \S+:\S+|--token"
)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_command_of_a_page_gives_a_secret_away(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\-", "-")
    assert GIVEN_AWAY.findall(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "kumactl config control-planes add --auth-conf token=$(cat admin-token)",
        "kumactl apply -f a.yaml --var key=$(kumactl generate signing-key)",
        'curl -H "Authorization: Bearer $(cat admin-token)" http://localhost',
        'curl -H "Authorization: Bearer $TOKEN" http://localhost',
    ],
)
def test_such_a_command_is_recognised(line: str) -> None:
    assert GIVEN_AWAY.search(line)
