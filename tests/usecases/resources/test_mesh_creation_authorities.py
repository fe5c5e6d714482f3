"""A mesh takes a second authority beside the one in force, and steps over to it when it may.

Source: docs/wire/mtls.md#a-new-authority
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import AT, ResourceApi

TWO = ("mtls.backends", "cannot have more than 1 backends")
SWITCHED = (
    "mtls.enabledBackend",
    "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA",
)


async def put(api: ResourceApi, *backends: str, enabled: str = "", **more: Any) -> None:
    mtls = {
        "enabledBackend": enabled,
        "backends": [{"name": each, "type": "builtin"} for each in backends],
        **more,
    }
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"], mtls=mtls)


async def refused(api: ResourceApi, *backends: str, enabled: str = "") -> tuple[str, list[Any]]:
    with pytest.raises(ResourceRefusedError) as error:
        await put(api, *backends, enabled=enabled)
    return error.value.title, [(each.field, each.message) for each in error.value.violations]


async def proxy(api: ResourceApi, name: str, issued: str, *trusted: str) -> None:
    insight = {
        "subscriptions": [{"id": "1", "connectTime": "2026-01-01T00:00:00Z"}],
        "mTLS": {"issuedBackend": issued, "supportedBackends": [*trusted]},
    }
    key = ResourceKey("DataplaneInsight", "m", name)
    await api.store.apply([Put(key=key, spec=json.dumps(insight), at=AT, owner=mesh_key("m"))])


async def test_two_are_refused_where_none_is_in_force_in_the_words_that_clients_know() -> None:
    api = ResourceApi()
    process = "Could not process a resource"
    assert await refused(api, "a", "b", enabled="a") == (process, [TWO])
    await put(api, "a")
    assert await refused(api, "a", "b", enabled="a") == (process, [TWO])
    await put(api, "a", enabled="a")
    assert await refused(api, "b", "c", enabled="b") == (process, [TWO])
    assert await refused(api, "a", "b") == (process, [TWO])
    assert await refused(api, "a", "b", "c", enabled="a") == (process, [TWO])


async def test_a_mesh_goes_from_one_to_the_other_in_three_steps() -> None:
    api = ResourceApi()
    await put(api, "a", enabled="a")
    await proxy(api, "web-1", "a", "a")
    assert await refused(api, "b", enabled="b") == ("Could not update a resource", [SWITCHED])

    await put(api, "a", "b", enabled="a")
    assert (await api.get("Secret", "m.ca-builtin-cert-b", mesh="m"))["name"]
    _, ((field, reason),) = await refused(api, "a", "b", enabled="b")
    assert field == "mtls.enabledBackend"
    assert '1 of 1 connected proxies (web-1) do not trust "b" yet' in reason

    await proxy(api, "web-1", "a", "a", "b")
    await put(api, "a", "b", enabled="b")
    _, ((field, reason),) = await refused(api, "b", enabled="b")
    assert field == "mtls.backends"
    assert 'still show certificates of "a"' in reason
    assert await refused(api, "a", enabled="a") == ("Could not update a resource", [SWITCHED])

    await proxy(api, "web-1", "b", "a", "b")
    await put(api, "b", enabled="b")
    assert (await api.get("Mesh", "m"))["mtls"]["backends"] == [{"name": "b", "type": "builtin"}]


async def test_two_are_written_again_as_they_are_read() -> None:
    api = ResourceApi()
    await put(api, "a", enabled="a")
    await put(api, "a", "b", enabled="a")
    stored = await api.get("Mesh", "m")
    await api.put("Mesh", "m", **{each: stored[each] for each in stored if each == "mtls"})
    assert (await api.get("Mesh", "m"))["mtls"] == stored["mtls"]


async def test_who_does_not_want_to_wait_says_so() -> None:
    api = ResourceApi()
    await put(api, "a", enabled="a")
    await put(api, "a", "b", enabled="a")
    await proxy(api, "web-1", "a", "a")
    await put(api, "a", "b", enabled="b", skipValidation=True)
    await put(api, "b", enabled="b", skipValidation=True)
