"""A mesh has no more Dataplanes that the license counts than its quota of proxies."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from support.daemons.resource_api import ResourceApi, networking

QUOTA = 2
BUILTIN: dict[str, Any] = {
    "address": "127.0.0.1",
    "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": "g"}},
}
DELEGATED: dict[str, Any] = {"address": "127.0.0.1", "gateway": {"tags": {"kuma.io/service": "g"}}}


async def api() -> ResourceApi:
    made = ResourceApi(mesh_quotas=MeshQuotas({"m": QUOTA}))
    for mesh in ("m", "free"):
        await made.put("Mesh", mesh, skipCreatingInitialPolicies=["*"])
    return made


async def put(made: ResourceApi, name: str, *, mesh: str = "m", **more: Any) -> bool:
    given = more or networking()
    return (await made.put("Dataplane", name, mesh=mesh, networking=given)).created


async def test_one_more_is_refused_to_administrators_as_well() -> None:
    made = await api()
    for name in ("a", "b"):
        await put(made, name)

    with pytest.raises(ResourceRefusedError) as error:
        await put(made, "c")

    assert (error.value.fault, error.value.code) == (Fault.MESH_QUOTA, "resource-mesh-quota")
    assert error.value.title == "Could not create a resource"
    assert error.value.detail == (
        "mesh m may have 2 data plane proxies that the license counts, and has 2"
    )
    assert "admission.meshQuotas" in error.value.hint
    assert await made.names("Dataplane", "m") == ["a", "b"]


async def test_what_is_there_can_be_changed_and_what_goes_makes_room() -> None:
    made = await api()
    for name in ("a", "b"):
        await put(made, name)

    assert not await put(made, "a")
    await made.delete("Dataplane", "a", mesh="m")
    assert await put(made, "c")


async def test_gateways_take_no_room_of_either_kind() -> None:
    made = await api()
    for number in range(QUOTA + 1):
        await put(made, f"built-in-{number}", **BUILTIN)
        await put(made, f"delegated-{number}", **DELEGATED)
    for name in ("a", "b"):
        assert await put(made, name)
    with pytest.raises(ResourceRefusedError):
        await put(made, "c")


async def test_a_mesh_without_a_quota_has_no_limit() -> None:
    made = await api()
    for number in range(QUOTA + 2):
        assert await put(made, str(number), mesh="free")


async def test_writers_that_come_together_do_not_pass_it() -> None:
    made = await api()
    refused: list[str] = []

    async def one(name: str) -> None:
        try:
            await put(made, name)
        except ResourceRefusedError as error:
            refused.append(error.code)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, f"dp-{number}")

    assert refused == ["resource-mesh-quota"] * (20 - QUOTA)
    assert len(await made.names("Dataplane", "m")) == QUOTA
