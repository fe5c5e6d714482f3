"""The recorded cases of the original's `get` and `inspect`: what they print, to the letter."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.contract_suites import shared
from support.kuma_api import INDEX, ZERO_TIME, Asked, Plane, Reply, api
from support.kumactl_runs import NOW, User

SUITES = ("kumactl-get-list", "kumactl-get-one", "kumactl-inspect")


def _cases(suite: str) -> list[Any]:
    folder = shared() / "conformance" / "suites" / suite
    page = folder / "MANIFEST.yaml"
    if not page.is_file():
        reason = f"{page} is not there; set KMESH_SHARED"
        return [pytest.param(None, folder, {}, marks=pytest.mark.skip(reason=reason), id=suite)]
    manifest = yaml.safe_load(page.read_text())
    return [pytest.param(manifest, folder, case, id=case["id"]) for case in manifest["cases"]]


@pytest.mark.parametrize(
    ("manifest", "folder", "case"), [case for suite in SUITES for case in _cases(suite)]
)
def test_kumactl_prints_what_the_original_prints(
    manifest: dict[str, Any], folder: Path, case: dict[str, Any], tmp_path: Path
) -> None:
    clock = manifest.get("clock")
    now = datetime.fromisoformat(clock) if clock else NOW

    with api(_server(folder, case)) as server:
        ran = User(tmp_path, server.url).run(*case["argv"], now=now)

    assert ran.err == ""
    assert ran.status == case["expect"]["exit"]
    assert ran.out == (folder / case["expect"]["stdout"]).read_text()


def _server(folder: Path, case: dict[str, Any]) -> Any:
    if "server_answer" in case:
        recorded = (folder / case["server_answer"]).read_bytes()

        def answer(asked: Asked) -> Reply:
            return Reply(body=INDEX if asked.path == "/" else recorded)

        return answer
    plane = Plane()
    given = folder / case["preconditions"]
    ordered = _in_the_order_of_the_server(given)
    for document in yaml.load_all(given.read_text(), Loader=yaml.BaseLoader):
        stored = ordered[document["name"]]
        assert set(document) == set(stored)
        plane.put({**stored, "creationTime": ZERO_TIME, "modificationTime": ZERO_TIME})
    return plane


def _in_the_order_of_the_server(given: Path) -> dict[str, dict[str, Any]]:
    """The resources with the members in their order on the wire, which YAML files lost."""
    name = given.name.partition(".")[0]
    golden = json.loads((given.parent / f"{name}.golden.json").read_text())
    return {item["name"]: item for item in golden.get("items", [golden])}
