"""The whole configuration of a proxy, for whoever asks: as it is, with shadow policies, and why.

It follows from what is stored; the proxy need not be connected. What differs from proxy to proxy
beside its resource (the port of its admin API, its certificate) is left out or stands for itself.

Source: docs/wire/inspection.md#configuration,
docs/wire/inspection.md#why-a-proxy-is-configured-as-it-is
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources import inline_secrets
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.usecases.data_plane.json_patches import json_patch
from kong_mesh_cp.usecases.data_plane.mesh_contents import world_now
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.documents import JsonDocument
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import invalid, mesh_not_found, not_found

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds import generate, node_metadata, parts, proxy_view, shown
    from kong_mesh_cp.core.xds.explaining import explanation, without_secrets
    from kong_mesh_cp.core.xds.indexed_mesh import WorldRules
    from kong_mesh_cp.core.xds.proxy_view import GenerationTerms
    from kong_mesh_cp.core.xds.world import MeshWorld
else:  # they bring Envoy's messages
    explanation = lazy_import("kong_mesh_cp.core.xds.explaining.explanation")
    without_secrets = lazy_import("kong_mesh_cp.core.xds.explaining.without_secrets")
    generate = lazy_import("kong_mesh_cp.core.xds.generate")
    node_metadata = lazy_import("kong_mesh_cp.core.xds.node_metadata")
    parts = lazy_import("kong_mesh_cp.core.xds.parts")
    proxy_view = lazy_import("kong_mesh_cp.core.xds.proxy_view")
    shown = lazy_import("kong_mesh_cp.core.xds.shown")

PLACES_NAMED_MAX: Final = 20  # of those that a proxy has, where one is asked for that it has not

_TITLE: Final = "Failed to inspect proxy config"
_NOT_EXPLAINED: Final = "Could not explain the data plane proxy"
# Of the types that are merged, the only one whose confs may hold secrets (`inline_secrets`).
_WITH_SECRETS: Final = "MeshProxyPatch"


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
        world = await self._world(user, mesh, name, title=_TITLE)
        sees_secrets = self._reading.sees_secrets(user, mesh)
        return await trio.to_thread.run_sync(
            partial(self._shown, world, name, shadow=shadow, diff=diff, sees_secrets=sees_secrets),
            limiter=self._one_at_a_time,
        )

    async def explained(
        self, user: User, mesh: str, name: str, *, inbound: int | None, outbound: str, shadow: bool
    ) -> JsonDocument:
        """Why it is so: all of it, or only what is about one inbound (by its port) or one outbound
        (by its service, its resource or its listener).
        """
        world = await self._world(user, mesh, name, title=_NOT_EXPLAINED)
        wanted = explanation.Wanted(inbound=inbound, outbound=outbound)
        sees_secrets = self._reading.sees_secrets(user, mesh)
        return await trio.to_thread.run_sync(
            partial(self._explained, world, name, wanted, shadow=shadow, sees_secrets=sees_secrets),
            limiter=self._one_at_a_time,
        )

    async def _world(self, user: User, mesh: str, name: str, *, title: str) -> MeshWorld:
        """Of the proxy called `name`, which `user` may see."""
        await self._reading.stored(user, TYPES["Dataplane"], mesh, name, title=title)
        world = await world_now(self._store, mesh, self._rules)
        if world is None:
            raise mesh_not_found()
        return world

    def _explained(
        self,
        world: MeshWorld,
        name: str,
        wanted: explanation.Wanted,
        *,
        shadow: bool,
        sees_secrets: bool,
    ) -> JsonDocument:
        view = self._view(world, name, shadow=shadow)
        if view is None:
            raise not_found(_NOT_EXPLAINED)
        try:
            answer = explanation.explained(view, parts.Parts(), wanted)
        except explanation.NoSuchPlaceError as error:
            raise invalid(_NOT_EXPLAINED, [_no_such_place(wanted, error.known)]) from None
        if sees_secrets:
            return answer
        found: JsonDocument = json.loads(inline_secrets.masked(_WITH_SECRETS, json.dumps(answer)))
        return found

    def _shown(
        self, world: MeshWorld, name: str, *, shadow: bool, diff: bool, sees_secrets: bool
    ) -> JsonDocument:
        found = self._configuration(world, name, shadow=shadow, sees_secrets=sees_secrets)
        answer: JsonDocument = {"xds": found}
        if diff:
            plain = self._configuration(world, name, shadow=False, sees_secrets=sees_secrets)
            answer["diff"] = json_patch(plain, found)
        return answer

    def _configuration(
        self, world: MeshWorld, name: str, *, shadow: bool, sees_secrets: bool
    ) -> Mapping[str, Mapping[str, object]]:
        view = self._view(world, name, shadow=shadow)
        if view is None:
            return {}
        found = shown.as_json(generate.generate(view, parts.Parts()).snapshot)
        if sees_secrets or CLUSTERS not in found:
            return found
        # The key for a service outside of the mesh comes from a Secret, and stands in its cluster.
        clusters = {
            name: without_secrets.without_secrets(each) for name, each in found[CLUSTERS].items()
        }
        return {**found, CLUSTERS: clusters}

    def _view(self, world: MeshWorld, name: str, *, shadow: bool) -> proxy_view.ProxyView | None:
        view = sample_view(world, name, terms=self._terms)
        return None if view is None else replace(view, with_shadow=shadow)


def sample_view(
    world: MeshWorld, name: str, *, terms: GenerationTerms
) -> proxy_view.ProxyView | None:
    """One proxy of `world` as far as it follows from what is stored; None: it is not there."""
    dataplane = world.dataplane(name)
    if dataplane is None:
        return None
    return proxy_view.ProxyView(
        dataplane=dataplane,
        metadata=node_metadata.ProxyMetadata(ipv6=False),
        world=world,
        terms=terms,
        identity=proxy_view.Identity(
            pair=proxy_view.KeyPair(b"CERT", b"KEY"),
            authorities=dict.fromkeys((world.name, *world.crossing.trusted), b"CA"),
        ),
    )


def _no_such_place(wanted: explanation.Wanted, known: Sequence[str]) -> Violation:
    named = ", ".join(known[:PLACES_NAMED_MAX])
    if len(known) > PLACES_NAMED_MAX:
        named += f" and {len(known) - PLACES_NAMED_MAX} more"
    field = "outbound" if wanted.outbound else "inbound"
    return Violation(field, f"the proxy has no such one; it has {named or 'none'}")
