"""What is stored of a spec is what its kind writes, so that policies need not be read to be judged."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.resources.documents import document_of, resource_of
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.daemons.resource_api import ResourceApi
from support.specs.sound_resources import SOUND


@pytest.mark.parametrize("type_name", sorted({*TRAITS, "MeshService"} & SOUND.keys()))
async def test_the_stored_document_is_the_spec_as_its_kind_writes_it(type_name: str) -> None:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    body: dict[str, Any] = SOUND[type_name]
    await api.put(type_name, "x", mesh="m", **body)
    stored = await api.store.get(ResourceKey(type_name, "m", "x"))
    assert stored is not None
    typed = resource_of(stored)
    assert document_of(stored).spec == KINDS[type_name].render(typed.spec)["spec"]
    assert document_of(stored).labels == typed.labels
