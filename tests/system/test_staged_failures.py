"""Every way to get it wrong that docs/operations.md knows is staged; the daemon says it like that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.staging import operations_page
from support.staging.staged_access import ACCESS
from support.staging.staged_files import FILES
from support.staging.staged_licenses import LICENSES
from support.staging.staged_postgres import POSTGRES
from support.staging.staged_proxies import PROXIES
from support.staging.staged_runs import RUNS
from support.staging.staged_starts import STARTS
from support.staging.staged_upkeep import UPKEEP
from support.staging.staging import NOW_SHOWN, PID_SHOWN, Said, Stage

pytestmark = pytest.mark.system

SCENARIOS = {**LICENSES, **STARTS, **POSTGRES, **ACCESS, **RUNS, **FILES, **UPKEEP, **PROXIES}
DOCUMENTED = operations_page.entries()
# What a remedy may end in instead of a full stop: a command to copy.
COMMAND = re.compile(
    r"(?:: |^Run: )(?:systemctl|kong-mesh-cp|chmod|chgrp|df|ip|cat|namei)\b[^.]*(?:\.\S[^.]*)*$"
)
ARTEFACTS = re.compile(r"\.\.|  | \.|\bNone\b|Path\(|\bb'|<[a-z]|Error\(|\\x|\{|\}")


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(tmp_path, lambda: request.getfixturevalue("postgres"))
    yield made
    made.close()


@pytest.mark.parametrize("heading", SCENARIOS)
def test_it_is(heading: str, stage: Stage) -> None:
    said = SCENARIOS[heading](stage)
    if os.environ.get("UPDATE_DOCS"):
        operations_page.rewrite(heading, said)
        return
    assert said == DOCUMENTED.get(heading), (
        f"{operations_page.PATH} should have under '#### {heading}':\n{said.line}\n{said.outcome}\n"
        f"If that is meant: {operations_page.UPDATE}"
    )


def test_page_and_stage_know_the_same_ways() -> None:
    assert list(DOCUMENTED) == operations_page.headings(), "one of them is not of the form"
    assert sorted(DOCUMENTED) == sorted(SCENARIOS)


@pytest.mark.parametrize("said", DOCUMENTED.values(), ids=DOCUMENTED)
def test_a_line_has_a_code_and_ends_in_a_remedy(said: Said) -> None:
    code, _, rest = said.line.partition(": ")
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", code)
    assert not ARTEFACTS.search(rest)
    if said.outcome == "It runs on (INFO).":
        return  # news, not a condition that somebody should end
    message, _, remedy = rest.partition(". ")
    assert message and remedy
    assert remedy.endswith((".", "?")) or COMMAND.search(remedy), remedy


def test_health_looks_as_the_page_shows_it(stage: Stage) -> None:
    stage.hand_over_license()
    stage.daemon.flags = ("--license-keyring", os.fspath(stage.keyring))
    everywhere = "0.0.0.0"
    stage.set(KUMA_API_SERVER_HTTP_INTERFACE=everywhere, KUMA_API_SERVER_HTTPS_INTERFACE=everywhere)
    stage.set(KMESH_DP_SERVER_INTERFACE=everywhere)
    daemon = stage.start()
    shown = (
        *(("api", 5681), ("api-https", 5682), ("proxies", 5678)),
        *(("monitoring", 5676), ("diagnostics", 5680)),
    )
    for name, port in shown:
        own = daemon.addresses[name].rpartition(":")[2]
        stage.show(f":{own}", f":{port}")
    stage.open.enter_context(daemon.seat("backend-1"))
    stage.show(f"pid {os.getpid()} uid {os.geteuid()}", f"pid {PID_SHOWN} uid 1000")

    page = operations_page.text()
    for code in ("license-in-force", "ready", "admission-admitted"):
        line = re.sub(r"days left: \d+", "days left: 2179", stage.says(code).line)
        line = re.sub(r"unit '.*?'", "unit 'backend.service'", line)
        assert f"\n{line}\n" in page, line
    status = re.sub(r"\(\d+ days\)", "(2179 days)", _status_with_a_seat(stage))
    assert f'Status: "{status}"' in page
    assert NOW_SHOWN[:10] in page


def _status_with_a_seat(stage: Stage) -> str:
    daemon = stage.daemon
    eventually("the seat is told", lambda: daemon.status_text.startswith("1 of "))
    return daemon.status_text
