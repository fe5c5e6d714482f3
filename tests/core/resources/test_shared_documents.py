"""Every resource in the shared suites: what is put comes back, but for what nobody knows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from kong_mesh_cp.core.formats.timestamps import parse_timestamp
from kong_mesh_cp.core.resources.bodies import read_draft, show
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.labels import Deployment, Mode, computed_labels
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.registry import TYPES
from support.suites.shared_documents import resources, suites

META = {"type", "mesh", "name", "labels", "creationTime", "modificationTime"}
# Left over from older versions, where no proxy has them any more.
DROPPED = {"redirectPort", "spec"}
# Their items are shown one by one; what is stored is another shape.
SHOWN_OTHERWISE = {"ServiceInsight"}


def without_dropped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_dropped(each) for key, each in value.items() if key not in DROPPED}
    return [without_dropped(each) for each in value] if isinstance(value, list) else value


def test_each_resource_of_the_suites_comes_back_as_it_was() -> None:
    count = 0
    for path, document in resources():
        name = str(document.get("type"))
        if name not in KINDS or TYPES[name].plugin or name in SHOWN_OTHERWISE:
            continue
        kind = KINDS[name]
        spec = {key: value for key, value in document.items() if key not in META}
        assert kind.render(kind.parse(document)) == without_dropped(spec), path
        count += 1
    if not count:
        pytest.skip("no shared data beside the checkout")
    assert count > 500


def test_the_times_of_the_suites_are_read() -> None:
    times = [
        document[name]
        for _, document in resources()
        for name in ("creationTime", "modificationTime")
        if isinstance(document.get(name), str)
    ]
    if not times:
        pytest.skip("no shared data beside the checkout")
    for text in set(times):
        parse_timestamp(text)


PUTS = [
    "globalsecret",
    "healthcheck",
    "secret",
    "trafficroute",
    "traffictrace",
    "update_dataplanes",
]


@pytest.mark.parametrize("name", PUTS)
def test_what_was_put_is_shown_as_the_recorded_answer(name: str) -> None:
    folder = suites()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    data = folder / "api-crud/data"
    put = json.loads((data / f"put_{name}_00.request.json").read_text())
    answer = json.loads((data / f"put_{name}_01.golden.json").read_text())
    row = TYPES[put["type"]]
    draft = read_draft(KINDS[row.name], row, put)
    labels = computed_labels(
        draft.meta.labels,
        row,
        draft.meta.mesh,
        Deployment(Mode.ZONE, "default"),
        proxy_type=getattr(draft.spec, "proxy_type", None),
    )
    stored = Resource(
        type=row.name,
        mesh=draft.meta.mesh,
        name=draft.meta.name,
        labels=labels,
        spec=draft.spec,
        created_at=datetime.fromisoformat(answer["creationTime"]),
        modified_at=datetime.fromisoformat(answer["modificationTime"]),
        version=1,
    )
    shown = show(stored, KINDS[row.name])
    assert shown == answer
    assert [key for key in shown if key != "labels"] == [key for key in answer if key != "labels"]
