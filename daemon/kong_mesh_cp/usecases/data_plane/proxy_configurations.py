"""The whole configuration of a proxy, for whoever asks: as it is, and with shadow policies.

It follows from what is stored; the proxy need not be connected. What differs from proxy to proxy
beside its resource (the port of its admin API, its certificate) is left out or stands for itself.

Source: docs/wire/inspection.md#configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.data_plane.json_patches import json_patch
from kong_mesh_cp.usecases.data_plane.mesh_contents import world_now
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.documents import JsonDocument
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import mesh_not_found

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import generate, node_metadata, parts, proxy_view, shown
    from kong_mesh_cp.core.xds.indexed_mesh import WorldRules
    from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
    from kong_mesh_cp.core.xds.world import MeshWorld
else:  # they bring Envoy's messages
    generate = lazy_import("kong_mesh_cp.core.xds.generate")
    node_metadata = lazy_import("kong_mesh_cp.core.xds.node_metadata")
    parts = lazy_import("kong_mesh_cp.core.xds.parts")
    proxy_view = lazy_import("kong_mesh_cp.core.xds.proxy_view")
    shown = lazy_import("kong_mesh_cp.core.xds.shown")

_TITLE: Final = "Failed to inspect proxy config"


class ProxyConfigurations:
    """Errors as those of `ResourceReader`."""

    def __init__(
        self,
        store: ResourceStore,
        reading: ResourceReader,
        *,
        rules: WorldRules,
        terms: GenerationTerms,
    ) -> None:
        self._store = store
        self._reading = reading
        self._rules = rules
        self._terms = terms
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def of(
        self, user: User, mesh: str, name: str, *, shadow: bool, diff: bool
    ) -> JsonDocument:
        """`shadow`: with the effect of policies that have none yet. `diff`: beside it what they
        change.
        """
        await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=_TITLE)
        world = await world_now(self._store, mesh, self._rules)
        if world is None:
            raise mesh_not_found()
        return await trio.to_thread.run_sync(
            partial(self._shown, world, name, shadow=shadow, diff=diff),
            limiter=self._one_at_a_time,
        )

    def _shown(self, world: MeshWorld, name: str, *, shadow: bool, diff: bool) -> JsonDocument:
        found = self._configuration(world, name, shadow=shadow)
        answer: JsonDocument = {"xds": found}
        if diff:
            answer["diff"] = json_patch(self._configuration(world, name, shadow=False), found)
        return answer

    def _configuration(
        self, world: MeshWorld, name: str, *, shadow: bool
    ) -> Mapping[str, Mapping[str, object]]:
        dataplane = world.dataplane(name)
        if dataplane is None:
            return {}
        view = proxy_view.ProxyView(
            dataplane=dataplane,
            metadata=node_metadata.ProxyMetadata(ipv6=False),
            world=world,
            terms=self._terms,
            identity=proxy_view.Identity(
                pair=proxy_view.KeyPair(b"CERT", b"KEY"), authorities={world.name: b"CA"}
            ),
            with_shadow=shadow,
        )
        return shown.as_json(generate.generate(view, parts.Parts()).snapshot)
