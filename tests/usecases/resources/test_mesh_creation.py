"""What is made together with a mesh (docs/wire/meshes.md#creation)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.errors import StateError
from support.daemons.resource_api import ResourceApi
from support.fakes.fake_resources import FakeResourceStore

POLICIES = ("MeshTimeout", "MeshCircuitBreaker", "MeshRetry", "TrafficPermission", "TrafficRoute")


async def born(api: ResourceApi) -> list[object]:
    return [name for each in POLICIES for name in await api.names(each, "m")]


async def test_a_mesh_comes_with_four_policies_and_a_signing_key() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    assert await born(api) == [
        "mesh-gateways-timeout-all-m",
        "mesh-timeout-all-m",
        "mesh-circuit-breaker-all-m",
        "mesh-retry-all-m",
    ]
    assert await api.names("Secret", "m") == ["dataplane-token-signing-key-m-1"]
    assert "labels" not in await api.get("MeshRetry", "mesh-retry-all-m", mesh="m")


async def test_all_of_it_is_one_transaction() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    assert isinstance(api.store, FakeResourceStore)
    assert len(api.store.log) == 6

    broken = ResourceApi()
    assert isinstance(broken.store, FakeResourceStore)
    failure = StateError("full", code="state-full", hint="Make room.")
    keys = broken.keys.signing_key

    async def then_fail(asker: str = "") -> bytes:  # noqa: ARG001 (of the port)
        assert isinstance(broken.store, FakeResourceStore)
        broken.store.failure = failure
        return await keys()

    broken.keys.signing_key = then_fail  # type: ignore[method-assign]
    with pytest.raises(StateError):
        await broken.put("Mesh", "m")
    assert broken.store.resources == {}


@pytest.mark.parametrize(
    ("skipped", "left"),
    [(["*"], 0), (["MeshTimeout", "MeshRetry"], 1), (["mesh-retry-all-m"], 4), ([], 4)],
)
async def test_initial_policies_are_skipped_by_type(skipped: list[str], left: int) -> None:
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=skipped)
    assert len(await born(api)) == left


async def test_routing_resources_are_made_where_they_are_asked_for() -> None:
    api = ResourceApi(routing=True)
    await api.put("Mesh", "m")
    assert (await born(api))[-2:] == ["allow-all-m", "route-all-m"]


async def test_policies_are_made_once_and_authorities_with_each_new_backend() -> None:
    api = ResourceApi()
    await api.put("Mesh", "m")
    await api.delete("MeshRetry", "mesh-retry-all-m", mesh="m")
    mtls = {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}
    await api.put("Mesh", "m", mtls=mtls)
    await api.put("Mesh", "m", mtls=mtls)

    assert await api.names("MeshRetry", "m") == []
    assert await api.names("Secret", "m") == [
        "dataplane-token-signing-key-m-1",
        "m.ca-builtin-cert-ca-1",
        "m.ca-builtin-key-ca-1",
    ]
    assert api.keys.made == ["signing key", "m ca-1", "key"]
