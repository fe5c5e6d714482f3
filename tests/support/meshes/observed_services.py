"""Meshes whose services a control plane looks after, over a store of dictionaries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network

import trio

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.ports.resource_store import Put, Selection, StoredResource
from kong_mesh_cp.usecases.resources.reader import mesh_key
from kong_mesh_cp.usecases.upkeep import service_decisions
from kong_mesh_cp.usecases.upkeep.mesh_services import GenerationRules
from kong_mesh_cp.usecases.upkeep.service_upkeep import ServiceRules, ServiceUpkeep
from support.fakes.observed import Json, Observed

# Loaded before a mocked clock runs, which jumps while a thread imports.
_DECIDING = service_decisions

SOON = 0.1  # seconds after which what a write brings about is there
COUNTS_INTERVAL = 5.0
HOUR = 3600.0
EVERYWHERE: Json = {"meshServices": {"mode": "Everywhere"}}
MTLS: Json = {
    **EVERYWHERE,
    "mtls": {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]},
}
GENERATED = {
    "kuma.io/display-name": "web",
    "kuma.io/env": "universal",
    "kuma.io/managed-by": "meshservice-generator",
    "kuma.io/mesh": "m",
    "kuma.io/origin": "zone",
    "kuma.io/zone": "west",
}


def rules(*, service_range: str = "241.0.0.0/8") -> ServiceRules:
    return ServiceRules(
        generation=GenerationRules(zone="west", grace_period=timedelta(hours=1)),
        networks={
            "MeshService": ip_network(service_range),
            "MeshExternalService": ip_network("242.0.0.0/8"),
            "MeshMultiZoneService": ip_network("243.0.0.0/8"),
        },
        counts_interval=COUNTS_INTERVAL,
    )


async def keep(observed: Observed, kept: ServiceRules) -> None:
    replica = Replica(observed.store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(replica.run)
        nursery.start_soon(ServiceUpkeep(replica, kept, observed.now).run)


@asynccontextmanager
async def keeping(
    observed: Observed, *, jobs: int = 1, kept: ServiceRules | None = None
) -> AsyncIterator[None]:
    """While control planes look after the services; the first time is done."""
    async with trio.open_nursery() as nursery:
        for _ in range(jobs):
            nursery.start_soon(keep, observed, kept or rules())
        await trio.sleep(SOON)
        yield
        nursery.cancel_scope.cancel()


async def mesh(observed: Observed, spec: Json | None = None, name: str = "m") -> None:
    await observed.put("Mesh", "", name, EVERYWHERE if spec is None else spec)


async def put(
    observed: Observed,
    type_name: str,
    name: str,
    spec: Json,
    *,
    labels: Mapping[str, str] | None = None,
    in_mesh: str = "m",
) -> None:
    """As a client writes it: without a status."""
    await observed.store.apply(
        [
            Put(
                key=ResourceKey(type_name, in_mesh, name),
                spec=json.dumps({"spec": spec}),
                labels=labels or {},
                at=observed.now(),
                owner=mesh_key(in_mesh) if in_mesh else None,
            )
        ]
    )


async def dataplane(observed: Observed, name: str, *inbounds: Json) -> None:
    await observed.put("Dataplane", "m", name, {"networking": {"inbound": list(inbounds)}})


def inbound(port: int = 80, service: str = "web", **more: object) -> Json:
    return {"port": port, "tags": {"kuma.io/service": service}, **more}


async def generator(observed: Observed, name: str, template: str, selector: str) -> None:
    spec = {"selector": {selector: {"matchLabels": {}}}, "template": template}
    await put(observed, "HostnameGenerator", name, spec, in_mesh="")


async def external(observed: Observed, name: str) -> None:
    await put(observed, "MeshExternalService", name, {"match": {"port": 443, "protocol": "tcp"}})


async def stored(
    observed: Observed, name: str, type_name: str = "MeshService", in_mesh: str = "m"
) -> StoredResource:
    found = await observed.store.get(ResourceKey(type_name, in_mesh, name))
    assert found is not None, f"no {type_name} {name}"
    return found


async def spec_of(observed: Observed, name: str) -> Json:
    spec: Json = json.loads((await stored(observed, name)).spec)["spec"]
    return spec


async def status_of(observed: Observed, name: str, type_name: str = "MeshService") -> Json:
    status: Json = json.loads((await stored(observed, name, type_name)).status or "{}")
    return status


async def services(observed: Observed) -> set[str]:
    page = await observed.store.list(Selection(type="MeshService", mesh="m"))
    return {each.key.name for each in page.items}


async def address(observed: Observed, name: str) -> str:
    (vip,) = (await status_of(observed, name))["vips"]
    found: str = vip["ip"]
    return found


async def hostnames(observed: Observed, name: str, type_name: str = "MeshService") -> list[str]:
    status = await status_of(observed, name, type_name)
    return [each["hostname"] for each in status.get("addresses", [])]
