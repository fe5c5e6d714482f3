"""Writes that contradict what another resource of the mesh says.

Source: docs/wire/policies.md#older-policies
"""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.usecases.resources.resource_refusals import ResourceRefusedError
from support.daemons.resource_api import ResourceApi

ONLY_SERVICE = (
    "ratelimit",
    "RateLimit applied to external service only supports kuma.io/service as destination match",
)
WOULD_MATCH = (
    "externalservice",
    "ExternalService would match RateLimit 'r' which includes incompatible destination matches",
)


async def limit(api: ResourceApi, *destinations: dict[str, str], mesh: str = "m") -> None:
    http = {"requests": 1, "interval": "1s"}
    await api.put(
        "RateLimit",
        "r",
        mesh=mesh,
        sources=[{"match": {"kuma.io/service": "*"}}],
        destinations=[{"match": match} for match in destinations],
        conf={"http": http},
    )


async def outside(api: ResourceApi, service: str, mesh: str = "m") -> None:
    tags = {"kuma.io/service": service, "kuma.io/protocol": "HTTP"}
    await api.put(
        "ExternalService", "e", mesh=mesh, tags=tags, networking={"address": "a.example:80"}
    )


async def api_with_meshes() -> ResourceApi:
    api = ResourceApi()
    for name in ("m", "other"):
        await api.put("Mesh", name, skipCreatingInitialPolicies=["*"])
    return api


def told(error: pytest.ExceptionInfo[ResourceRefusedError]) -> list[tuple[str, str]]:
    return [(each.field, each.message) for each in error.value.violations]


NARROWED: list[dict[str, str]] = [
    {"kuma.io/service": "pay", "version": "2"},
    {"kuma.io/service": "*", "version": "2"},
]
WIDE: list[dict[str, str]] = [
    {"kuma.io/service": "pay"},
    {"kuma.io/service": "*"},
    {"kuma.io/service": "web", "version": "2"},
]


@pytest.mark.parametrize("destination", NARROWED)
async def test_a_limit_of_a_service_outside_asks_for_nothing_but_the_service(
    destination: dict[str, Any],
) -> None:
    api = await api_with_meshes()
    await outside(api, "pay")
    with pytest.raises(ResourceRefusedError) as error:
        await limit(api, destination, {"kuma.io/service": "pay"}, destination)

    assert told(error) == [ONLY_SERVICE, ONLY_SERVICE]
    assert error.value.title == "Could not create a resource"


@pytest.mark.parametrize("destination", NARROWED)
async def test_a_service_outside_that_such_a_limit_would_mean_is_refused(
    destination: dict[str, Any],
) -> None:
    api = await api_with_meshes()
    await limit(api, destination)
    with pytest.raises(ResourceRefusedError) as error:
        await outside(api, "pay")

    assert told(error) == [WOULD_MATCH]


@pytest.mark.parametrize("destination", WIDE)
async def test_other_limits_and_services_go_together(destination: dict[str, Any]) -> None:
    first, second = await api_with_meshes(), await api_with_meshes()
    await outside(first, "pay")
    await limit(first, destination)
    await limit(second, destination)
    await outside(second, "pay")


@pytest.mark.parametrize("destination", NARROWED)
async def test_a_limit_of_another_mesh_contradicts_nothing(destination: dict[str, Any]) -> None:
    api = await api_with_meshes()
    await outside(api, "pay", mesh="other")
    await limit(api, destination)


async def test_a_change_of_either_is_checked_as_well() -> None:
    api = await api_with_meshes()
    await outside(api, "pay")
    await limit(api, WIDE[0])
    with pytest.raises(ResourceRefusedError) as error:
        await limit(api, NARROWED[0])

    assert told(error) == [ONLY_SERVICE]
    assert error.value.title == "Could not update a resource"
