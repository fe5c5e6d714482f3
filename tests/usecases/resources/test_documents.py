"""What is stored of a spec is what its kind writes, so that policies need not be read to be judged."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.rules.policy import TRAITS
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.usecases.resources.documents import resource_as, resource_of, spec_document
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
    assert spec_document(stored) == KINDS[type_name].render(typed.spec)["spec"]
    assert stored.labels == typed.labels


async def test_a_resource_is_read_as_what_its_type_is_and_as_nothing_else() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    stored = await api.store.get(ResourceKey("Mesh", "", "m"))
    assert stored is not None

    assert resource_as(Mesh, stored) == resource_of(stored)
    with pytest.raises(TypeError, match="Mesh has no spec of the type Dataplane"):
        resource_as(Dataplane, stored)
