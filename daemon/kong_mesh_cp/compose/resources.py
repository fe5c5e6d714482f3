"""Wires the use cases of resources and their routes over an open store.

Imported when the admission socket serves already: what it imports is half as much again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from kong_mesh_cp.compose.access import Access
from kong_mesh_cp.compose.generation import generation_terms, world_rules
from kong_mesh_cp.compose.identity import Identity
from kong_mesh_cp.compose.lazy import lazy
from kong_mesh_cp.compose.token_trust import TokenTrust, read_token_trust
from kong_mesh_cp.core.admission.mesh_quotas import MeshQuotas
from kong_mesh_cp.core.identity.access import AccessRules, StaticAccess
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.labels import Deployment, Mode
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.volume import Quota
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.admission_socket.key_calls import KeyCalls
from kong_mesh_cp.shell.envoy_admin.calls import HttpAdminCalls
from kong_mesh_cp.shell.host import clocks
from kong_mesh_cp.shell.host.authorities import SystemKeyMaker
from kong_mesh_cp.shell.host.authority_files import read_authority_file
from kong_mesh_cp.shell.host.randomness import new_token_id
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.guards import Guards
from kong_mesh_cp.shell.rest_api.large_answers import HasRoom, LargeAnswers, room_for_all
from kong_mesh_cp.shell.rest_api.routes.attachment_routes import AttachmentRoutes
from kong_mesh_cp.shell.rest_api.routes.inspection_routes import InspectionRoutes
from kong_mesh_cp.shell.rest_api.routes.preview_routes import PreviewRoutes
from kong_mesh_cp.shell.rest_api.routes.resource_routes import ResourceRoutes, Writable
from kong_mesh_cp.shell.rest_api.routes.type_routes import TypeRoutes
from kong_mesh_cp.usecases.admission.dataplane_registrar import DataplaneRegistrar
from kong_mesh_cp.usecases.admission.presence import Services
from kong_mesh_cp.usecases.admission.proxy_records import ProxyRecords
from kong_mesh_cp.usecases.admission.proxy_tokens import ProxyTokens
from kong_mesh_cp.usecases.admission.registrations import Run
from kong_mesh_cp.usecases.data_plane.authentication import ProxyAuthentication
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.envoy_admin import EnvoyAdmin, ZoneEnvoys
from kong_mesh_cp.usecases.inspection.insight_views import InsightViews
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.ports.secrets import SealingKey
from kong_mesh_cp.usecases.ports.state_store import MeshDirectory
from kong_mesh_cp.usecases.resources.initial_resources import (
    InitialResources,
    InitialResourcesWriter,
)
from kong_mesh_cp.usecases.resources.mesh_creation import MeshCreation
from kong_mesh_cp.usecases.resources.quotas import Quotas
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.write_rules import WriteRules
from kong_mesh_cp.usecases.resources.writer import ResourceWriter, always

if TYPE_CHECKING:
    from kong_mesh_cp.usecases.data_plane import proxy_configurations
    from kong_mesh_cp.usecases.data_plane.previewing import previewing, verdicts
    from kong_mesh_cp.usecases.inspection import attachment_inspector, policy_inspector
else:
    verdicts = lazy_import("kong_mesh_cp.usecases.data_plane.previewing.verdicts")
    previewing = lazy_import("kong_mesh_cp.usecases.data_plane.previewing.previewing")
    proxy_configurations = lazy_import("kong_mesh_cp.usecases.data_plane.proxy_configurations")
    attachment_inspector = lazy_import("kong_mesh_cp.usecases.inspection.attachment_inspector")
    policy_inspector = lazy_import("kong_mesh_cp.usecases.inspection.policy_inspector")

SIGNING_THREADS_MAX = 2


class Resources:
    """What there is to serve and to make."""

    def __init__(
        self,
        settings: Settings,
        replica: Replica,
        sealing: SealingKey,
        trust: TokenTrust | None = None,
    ) -> None:
        """`sealing` is the key of the store. `trust`: whose tokens count, if the start has read
        that already.
        """
        store = replica.store
        self._replica = replica
        self._settings = settings
        self._store = store
        self._keys = SystemKeyMaker(clocks.wall_clock)
        routing = settings.defaults.create_mesh_routing_resources
        self._births = MeshCreation(
            store, self._keys, routing=routing, read_file=read_authority_file
        )
        self._deployment = _deployment(settings)
        self._writable = Writable(
            deployment=self._deployment, api_read_only=settings.api_server.read_only
        )
        self._access = Access(settings.access, replica)
        self._identity = Identity(
            settings,
            store,
            self._access.rules,
            trust or read_token_trust(settings),
            self._keys.signing_key,
            sealing=sealing,
            require_writable=lambda type_name: self._writable.require(TYPES[type_name]),
        )
        self.guards = Guards(authenticate=self._identity.authenticate, access=self._access.rules)
        self._rules = WriteRules(
            deployment=self._deployment,
            unsafe_delete=settings.store.unsafe_delete,
            origin_required=not settings.multizone.zone.disable_origin_label_validation,
            strict=settings.api_server.refuse_unknown_members,
        )

    def routes(
        self,
        has_room: HasRoom = room_for_all,
        may_be_told: Callable[[str], bool] = always,
        zone_envoys: ZoneEnvoys | None = None,
    ) -> Sequence[Route]:
        """Unsorted. `has_room`: see `LargeAnswers`; `may_be_told`: see `ResourceWriter`;
        `zone_envoys`: see `EnvoyAdmin`.
        """
        settings, store, access = self._settings, self._store, self._access.rules
        authenticate = self._identity.authenticate
        writable = self._writable
        reading = ResourceReader(store, access)
        applying = ResourceWriter(
            self._access.writers_store,
            access,
            self._births,
            self._rules,
            clocks.wall_clock,
            quotas=Quotas(_quota(settings), self._access.unlogged),
            mesh_quotas=MeshQuotas.read(settings.admission.mesh_quotas),
            may_be_told=may_be_told,
        )
        large = LargeAnswers(has_room=has_room)
        insights = InsightViews(store, reading, access, clocks.wall_clock)
        return (
            *ResourceRoutes(
                reading=reading,
                applying=applying,
                authenticate=authenticate,
                writable=writable,
                large=large,
            ).routes(),
            *TypeRoutes(authenticate=authenticate, writable=writable).routes(),
            *InspectionRoutes(
                inspecting=lazy(functools.partial(_inspecting, self._replica, reading)),
                configurations=lazy(functools.partial(_configurations, store, reading, settings)),
                insights=insights,
                authenticate=authenticate,
                deployment=self._deployment,
                large=large,
            ).routes(),
            *PreviewRoutes(
                previewing=lazy(lambda: self._previewing(applying)),
                authenticate=authenticate,
                deployment=self._deployment,
                large=large,
            ).routes(),
            *AttachmentRoutes(
                attaching=lazy(functools.partial(_attaching, self._replica, reading, access)),
                admin=EnvoyAdmin(
                    reading,
                    access,
                    store,
                    HttpAdminCalls(AdminAuthority(store).of_control_plane),
                    default_port=settings.bootstrap_server.params.admin_port,
                    zones=zone_envoys,
                ),
                insights=insights,
                authenticate=authenticate,
                large=large,
            ).routes(),
            *self._identity.routes(),
        )

    def _previewing(self, applying: ResourceWriter) -> previewing.Previewing:
        # As those of the functions below, and Envoy's messages.
        access = self._access.rules
        return previewing.Previewing(
            self._store,
            verdicts.Judging(self._store, applying, access, self._writable.require),
            access,
            rules=world_rules(self._settings),
            terms=generation_terms(self._settings),
        )

    @property
    def proxies(self) -> ProxyAuthentication:
        """What proxies have to show."""
        return self._identity.proxies

    @property
    def key_calls(self) -> KeyCalls:
        """What root asks of keys on the admission socket."""
        return KeyCalls(self._identity.local_key_requests)

    async def follow(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep up with the store, until cancelled."""
        await self._access.follow(task_status=task_status)

    def admission_services(self, meshes: MeshDirectory, *, plane: str, instance: str) -> Services:
        """What joins the seats of `instance`, this run of `plane`, with the resources."""
        # A process that is admitted may register: the socket has its own rules for that.
        applying = ResourceWriter(
            self._store, StaticAccess(), self._births, self._rules, clocks.wall_clock
        )
        # OpenSSL signs without the interpreter's lock, and more threads than this gain nothing.
        threads = trio.CapacityLimiter(SIGNING_THREADS_MAX)
        run = Run(plane, instance)
        takes_over = bool(self._settings.admission.rules)
        return Services(
            registering=DataplaneRegistrar(
                applying,
                self._store,
                meshes,
                run=run,
                takes_over=takes_over,
                wall_clock=clocks.wall_clock,
            ),
            tokens=ProxyTokens(
                self._identity.signing_keys,
                self._replica,
                wall_clock=clocks.wall_clock,
                new_id=new_token_id,
                in_worker_thread=functools.partial(trio.to_thread.run_sync, limiter=threads),
            ),
            records=ProxyRecords(
                self._store,
                run=run,
                takes_over=takes_over,
                subscriptions_max=self._settings.metrics.dataplane.subscription_limit,
                new_id=new_token_id,
                wall_clock=clocks.wall_clock,
            ),
        )

    async def ensure(self, *, preloaded: bool) -> None:
        """Make what the settings want to be there. With `preloaded` only a mesh, if they do."""
        defaults = self._settings.defaults
        skipped = defaults.skip_tenant_resources
        await self._access.ensure(self._deployment, wanted=not (skipped or preloaded))
        if skipped:
            return
        ensuring = InitialResourcesWriter(
            self._store, self._births, self._keys, self._deployment, clocks.wall_clock
        )
        await ensuring.run(
            InitialResources(
                default_mesh=not defaults.skip_mesh_creation,
                hostname_generators=not (defaults.skip_hostname_generators or preloaded),
                own_secrets=not preloaded,
            )
        )
        if not preloaded:
            await self._identity.ensure()


def _inspecting(replica: Replica, reading: ResourceReader) -> policy_inspector.PolicyInspector:
    # Matching and merging policies is much to import, and only who inspects them needs it.
    return policy_inspector.PolicyInspector(replica, reading)


def _attaching(
    replica: Replica, reading: ResourceReader, access: AccessRules
) -> attachment_inspector.AttachmentInspector:
    # As above, and the older generation of policies besides.
    return attachment_inspector.AttachmentInspector(replica, reading, access)


def _configurations(
    store: ResourceStore, reading: ResourceReader, settings: Settings
) -> proxy_configurations.ProxyConfigurations:
    # As above, and Envoy's messages.
    return proxy_configurations.ProxyConfigurations(
        store, reading, rules=world_rules(settings), terms=generation_terms(settings)
    )


def _quota(settings: Settings) -> Quota:
    return Quota(items=settings.store.quota.items, bytes=settings.store.quota.bytes)


def _deployment(settings: Settings) -> Deployment:
    zone = settings.multizone.zone
    return Deployment(Mode(settings.mode), zone.name, settings.is_federated)
