"""The REST suites of the shared data, each case on a spawned daemon of its own."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from support.suites.patience import HANG_SECONDS
from support.suites.validation_cases import CHECKOUT, JsonLoader, shared_folder

CASE_SECONDS_MAX = HANG_SECONDS


def suites() -> list[object]:
    shared = shared_folder()
    if shared is None:
        return [pytest.param("", marks=pytest.mark.skip("no shared data beside the checkout"))]
    manifests = sorted((shared / "conformance/suites").glob("*/MANIFEST.yaml"))
    return [
        pytest.param(path.parent.name)
        for path in manifests
        if yaml.load(path.read_text(), JsonLoader)["kind"] == "rest"
    ]


@pytest.mark.system
@pytest.mark.parametrize("suite", suites())
def test_every_case_is_reached(suite: str) -> None:
    run = subprocess.run(
        [CHECKOUT / "scripts/conformance", "--suite", suite],
        capture_output=True,
        text=True,
        timeout=30 * CASE_SECONDS_MAX,
        check=False,
    )
    failed = set(re.findall(r"^(?:FAIL|SKIP) ([^\s:]+)", run.stdout, re.MULTILINE))
    passed = set(re.findall(r"^PASS ([^\s:]+)", run.stdout, re.MULTILINE))

    assert passed | failed, run.stdout + run.stderr
    assert failed == set(), run.stdout
