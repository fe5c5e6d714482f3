"""A generator of configurations that say which world they were made from. It passes the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import trio

from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.usecases.data_plane.connected_proxy import ConnectedProxy

WHOLE, ENDPOINTS = "type/whole", "type/endpoints"


def connected(name: str, mesh: str = "default") -> ConnectedProxy:
    return ConnectedProxy(mesh=mesh, name=name, metadata=ProxyMetadata())


@dataclass
class FakeWorlds:
    """Worlds are what a test says: per mesh a text for each proxy, and endpoints by service."""

    worlds: dict[str, Any] = field(default_factory=dict)
    holders: int = 0

    def put(
        self,
        mesh: str = "default",
        *,
        texts: Mapping[str, str],
        endpoints: Mapping[str, str] | None = None,
    ) -> None:
        self.worlds[mesh] = SimpleNamespace(
            texts=dict(texts), endpoints=dict(endpoints or {}), name=mesh
        )

    @asynccontextmanager
    async def held(self, _mesh: str) -> AsyncIterator[None]:
        await trio.lowlevel.checkpoint()
        self.holders += 1
        try:
            yield
        finally:
            self.holders -= 1

    def world(self, mesh: str) -> Any:
        return self.worlds.get(mesh)


@dataclass(frozen=True)
class FakeConfiguration:
    """A text of the proxy, and the endpoints of the services it uses."""

    snapshot: Snapshot
    text: str
    complaints: tuple[Any, ...] = ()
    services: frozenset[str] = frozenset()

    @property
    def left_out(self) -> tuple[Any, ...]:
        return self.complaints


def _snapshot(text: str, endpoints: Mapping[str, str]) -> Snapshot:
    return Snapshot.of(
        {
            WHOLE: [Resource.of("whole", text.encode())],
            ENDPOINTS: [Resource.of(name, each.encode()) for name, each in endpoints.items()],
        }
    )


@dataclass
class FakeGenerator:
    """Writes down for whom it made something. `uses` are the services of each proxy."""

    uses: Mapping[str, Collection[str]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    happens: Callable[[ConnectedProxy], None] = lambda _proxy: None  # while it makes something
    complaints: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    preparations: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    turns: int = 0

    def preparation(
        self, proxy: ConnectedProxy, _world: Any
    ) -> Callable[[], Awaitable[object]] | None:
        return self.preparations.get(proxy.name)

    def generate(self, proxy: ConnectedProxy, world: Any) -> FakeConfiguration | None:
        if proxy.name not in world.texts:
            return None
        self.log.append(proxy.name)
        text, services = world.texts[proxy.name], frozenset(self.uses.get(proxy.name, ()))
        self.happens(proxy)
        return FakeConfiguration(
            snapshot=_snapshot(text, {each: world.endpoints.get(each, "") for each in services}),
            text=text,
            complaints=self.complaints.get(proxy.name, ()),
            services=services,
        )

    def with_endpoints(
        self, made: FakeConfiguration, services: Collection[Any], world: Any
    ) -> FakeConfiguration:
        self.log.append(f"endpoints of {' '.join(sorted(services))}")
        found = {
            name: world.endpoints.get(name, "") if name in services else each.packed.decode()
            for name, each in made.snapshot.of_type(ENDPOINTS).resources.items()
        }
        return replace(made, snapshot=_snapshot(made.text, found))

    def turn(self) -> None:
        self.turns += 1
