"""The use cases of resources over a store, with keys that cost nothing to make."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kong_mesh_cp.core.admission.mesh_quotas import NO_QUOTAS, MeshQuotas
from kong_mesh_cp.core.identity.access import AccessRules, StaticAccess
from kong_mesh_cp.core.identity.users import ADMIN, User
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority
from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.resources.volume import Quota
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.inspection.insight_views import InsightViews
from kong_mesh_cp.usecases.inspection.policy_inspector import PolicyInspector
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.documents import document
from kong_mesh_cp.usecases.resources.initial_resources import InitialResourcesWriter
from kong_mesh_cp.usecases.resources.mesh_creation import CaPair, MeshCreation
from kong_mesh_cp.usecases.resources.queries import Listing, ListQuery
from kong_mesh_cp.usecases.resources.quotas import Quotas
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.write_rules import WriteRules, Written
from kong_mesh_cp.usecases.resources.writer import ResourceWriter
from support.fakes.fake_resources import FakeResourceStore

AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

Json = dict[str, Any]


@dataclass
class NumberedKeys:
    """`KeyMaker` whose keys are numbers in the order they are made."""

    made: list[str] = field(default_factory=list)

    async def signing_key(self, asker: str = "") -> bytes:  # noqa: ARG002 (of the port)
        return self._next("signing key")

    async def mesh_ca(
        self,
        mesh: str,
        backend: CertificateAuthority,
        asker: str = "",  # noqa: ARG002 (of the port)
    ) -> CaPair:
        return CaPair(self._next(f"{mesh} {backend.name}"), self._next("key"))

    async def control_plane_ca(self, common_name: str) -> bytes:
        return self._next(common_name)

    def _next(self, what: str) -> bytes:
        self.made.append(what)
        return f"{what} {len(self.made)}".encode()


@dataclass
class ResourceApi:
    """Everything a client can do, as an administrator unless said otherwise."""

    store: ResourceStore = field(default_factory=FakeResourceStore)
    rules: WriteRules = field(default_factory=lambda: WriteRules(deployment=Deployment()))
    routing: bool = False
    keys: NumberedKeys = field(default_factory=NumberedKeys)
    now: datetime = AT
    access: AccessRules = field(default_factory=StaticAccess)
    quota: Quota | None = None
    mesh_quotas: MeshQuotas = NO_QUOTAS

    def __post_init__(self) -> None:
        access = self.access
        self.replica = Replica(self.store)
        self.births = MeshCreation(self.store, self.keys, routing=self.routing)
        self.reading = ResourceReader(self.store, access)
        quotas = None if self.quota is None else Quotas(self.quota, access)
        self.applying = ResourceWriter(
            self.store,
            access,
            self.births,
            self.rules,
            self._clock,
            quotas=quotas,
            mesh_quotas=self.mesh_quotas,
        )
        self.inspecting = PolicyInspector(self.replica, self.reading)
        self.insights = InsightViews(self.store, self.reading, access, self._clock)
        self.ensuring = InitialResourcesWriter(
            self.store, self.births, self.keys, self.rules.deployment, self._clock
        )

    def _clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    async def put(
        self, type_name: str, name: str, *, mesh: str = "", user: User = ADMIN, **body: Any
    ) -> Written:
        given = {"type": type_name, "name": name, **({"mesh": mesh} if mesh else {}), **body}
        return await self.send(type_name, name, json.dumps(given).encode(), mesh=mesh, user=user)

    async def send(
        self, type_name: str, name: str, body: bytes, *, mesh: str = "", user: User = ADMIN
    ) -> Written:
        return await self.applying.put(user, TYPES[type_name], mesh, name, body)

    async def get(self, type_name: str, name: str, *, mesh: str = "", user: User = ADMIN) -> Json:
        return document(await self.reading.stored(user, TYPES[type_name], mesh, name))

    async def delete(
        self, type_name: str, name: str, *, mesh: str = "", user: User = ADMIN
    ) -> None:
        await self.applying.delete(user, TYPES[type_name], mesh, name)

    async def page(
        self, type_name: str, mesh: str | None = None, *, user: User = ADMIN, **query: Any
    ) -> Listing[Any]:
        return await self.reading.page(user, TYPES[type_name], mesh, ListQuery(**query))

    async def names(self, type_name: str, mesh: str | None = None, **query: Any) -> list[object]:
        return [item["name"] for item in (await self.page(type_name, mesh, **query)).items]


def inbound(service: str = "backend", port: int = 80, **tags: str) -> Json:
    return {"port": port, "tags": {"kuma.io/service": service, **tags}}


def networking(*inbounds: Json, gateway: Json | None = None) -> Json:
    said: Json = {"address": "127.0.0.1"}
    if gateway is not None:
        return {**said, "gateway": gateway}
    return {**said, "inbound": list(inbounds) or [inbound()]}
