"""Resources as a Kuma control plane answered with them: read and rendered they stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kinds.services import mesh_multi_zone_service, mesh_service
from support.suites.validation_cases import JsonLoader, shared_folder

KINDS = {
    kind.type: kind
    for kind in (*POLICY_KINDS.values(), mesh_multi_zone_service.KIND, mesh_service.KIND)
}


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("type") in KINDS and isinstance(value.get("spec"), dict):
            yield value
        for inner in value.values():
            yield from _resources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _resources(inner)


def _recorded() -> list[Any]:
    folder = shared_folder()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    suites = folder / "conformance" / "suites"
    return [
        pytest.param(resource, id=f"{page.parents[1].name}/{page.name}/{index}")
        for page in sorted(suites.glob("api-*/data/*.golden.json"))
        for index, resource in enumerate(_resources(yaml.load(page.read_text(), JsonLoader)))
    ]


@pytest.mark.parametrize("resource", _recorded())
def test_a_recorded_resource_is_valid_and_rendered_as_it_was(resource: dict[str, Any]) -> None:
    kind = KINDS[resource["type"]]

    spec = kind.parse(resource)

    assert kind.validate(spec) == ()
    assert kind.render(spec)["spec"] == resource["spec"]
    if kind.parse_status is not None and kind.render_status is not None and "status" in resource:
        assert kind.render_status(kind.parse_status(resource)) == resource["status"]
