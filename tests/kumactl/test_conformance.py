"""The recorded cases of the original's `get` and `inspect`: what they print, to the letter."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.daemons.kuma_api import INDEX, ZERO_TIME, Asked, Plane, Reply, api
from support.daemons.kumactl_runs import NOW, User
from support.suites.validation_cases import shared_folder

SUITES = ("kumactl-get-list", "kumactl-get-one", "kumactl-inspect")


def _cases(suite: str) -> list[Any]:
    shared = shared_folder()
    if shared is None:
        mark = pytest.mark.skip(reason="no shared data beside the checkout; set KMESH_SHARED")
        return [pytest.param({}, Path(), {}, marks=mark, id=suite)]
    folder = shared / "conformance" / "suites" / suite
    manifest = yaml.safe_load((folder / "MANIFEST.yaml").read_text())
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


def _answers() -> list[Any]:
    shared = shared_folder()
    found = (
        sorted(shared.glob("conformance/suites/kumactl-get-*/data/*.golden.json")) if shared else []
    )
    return [pytest.param(path, id=path.name) for path in found]


@pytest.mark.skipif(not _answers(), reason="no shared data beside the checkout; set KMESH_SHARED")
@pytest.mark.parametrize("answer", _answers())
def test_what_a_server_shows_can_be_applied_and_changes_nothing(
    answer: Path, tmp_path: Path
) -> None:
    shown = json.loads(answer.read_text())
    plane = Plane()
    for document in shown.get("items", [shown]):
        plane.put(document)

    with api(plane) as server:
        argv = ("apply", "--dry-run", "-f", str(answer.with_suffix(".yaml")))
        ran = User(tmp_path, server.url).run(*argv)

    assert (ran.status, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == len(plane.resources)
    assert all(line.endswith(" unchanged") for line in ran.out.splitlines())
