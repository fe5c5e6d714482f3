"""The policies with which scripts/bench-xds measures are such as the API takes."""

from __future__ import annotations

from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.specs.mixed_policies import mixed_policies

KINDS_MIN = 12


def test_mixed_policies_are_sound_and_of_many_kinds() -> None:
    found = [*mixed_policies(100, 50)]
    for each in found:
        kind = KINDS[each["type"]]
        assert kind.validate(kind.parse(each)) == (), each
    assert len({each["type"] for each in found}) >= KINDS_MIN
    assert len({each["name"] for each in found}) == len(found)
    targets = [each["spec"]["targetRef"]["kind"] for each in found]
    assert 0 < targets.count("Mesh") < targets.count("MeshSubset")
