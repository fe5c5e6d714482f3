"""What Envoy itself tells of a proxy: configuration, counters, clusters.

Source: docs/wire/inspection.md#envoy-admin
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Protocol

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.access import AccessRules, View, require
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.insights import ProxyInsight
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, StoredResource
from kong_mesh_cp.usecases.resources.documents import resource_of
from kong_mesh_cp.usecases.resources.reader import ResourceReader
from kong_mesh_cp.usecases.resources.resource_refusals import (
    ENVOY_ADMIN_PORT,
    not_answering,
    not_connected,
    zone_not_answering,
)

# Texts of the original: it speaks of an ingress for both kinds of zone proxies.
_TITLES: Final[Mapping[str, str]] = {
    "Dataplane": "Could not get dataplane resource",
    "ZoneIngress": "Could not get zone ingress resource",
    "ZoneEgress": "Could not get zone ingress resource",
}
_PATHS: Final[Mapping[View, str]] = {
    View.CONFIG_DUMP: "/config_dump",
    View.STATS: "/stats",
    View.CLUSTERS: "/clusters",
}
REDACTED: Final = "[redacted]"


class AdminCallError(Exception):
    """Envoy could not be asked; the text says why, without a full stop."""


class AdminCalls(Protocol):
    """Asks the admin listeners of proxies."""

    async def get(self, host: str, port: int, target: str) -> bytes:
        """The body of the answer to `target`, a path with its query. Raises: AdminCallError."""
        ...


class ZoneEnvoys(Protocol):
    """Asks the Envoys of zones, where this control plane is global."""

    async def ask(
        self, proxy: StoredResource, view: View, *, include_endpoints: bool, as_json: bool
    ) -> bytes:
        """Raises: AdminCallError with the words of the original, for clients."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What Envoy has answered."""

    body: bytes
    is_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What Envoy is asked. `include_endpoints` counts for its configuration, `as_json` for the
    others.
    """

    view: View
    include_endpoints: bool = False
    as_json: bool = False

    @property
    def target(self) -> str:
        path = _PATHS[self.view]
        if self.view is View.CONFIG_DUMP:
            return f"{path}?include_eds=true" if self.include_endpoints else path
        return f"{path}?format=json" if self.as_json else path


class EnvoyAdmin:
    """Asks the Envoy of a proxy, wherever it is connected: all control planes can reach it."""

    def __init__(
        self,
        reading: ResourceReader,
        access: AccessRules,
        store: ResourceStore,
        calls: AdminCalls,
        *,
        default_port: int = ENVOY_ADMIN_PORT,
        zones: ZoneEnvoys | None = None,
    ) -> None:
        """`zones`: all proxies are in these."""
        self._reading = reading
        self._access = access
        self._store = store
        self._calls = calls
        self._default_port = default_port
        self._zones = zones

    async def ask(
        self, user: User, type_name: str, mesh: str, name: str, question: Question
    ) -> Told:
        """Raises: AccessDeniedError; ResourceRefusedError, also for a proxy that is not connected,
        or does not answer.
        """
        require(self._access, user, question.view)
        stored = await self._reading.stored(
            user, TYPES[type_name], mesh, name, title=_TITLES[type_name]
        )
        body = await self._body(type_name, name, stored, question)
        is_dump = question.view is View.CONFIG_DUMP
        return Told(
            body=without_credentials(body) if is_dump else body,
            is_json=is_dump or question.as_json,
        )

    async def _body(
        self, type_name: str, name: str, stored: StoredResource, question: Question
    ) -> bytes:
        if self._zones is not None:
            try:
                return await self._zones.ask(
                    stored,
                    question.view,
                    include_endpoints=question.include_endpoints,
                    as_json=question.as_json,
                )
            except AdminCallError as error:
                raise zone_not_answering(str(error)) from error
        host, port = _admin_address(stored, self._default_port)
        if not await self._is_connected(type_name, stored.key) or not host:
            raise not_connected(type_name, name, port)
        try:
            return await self._calls.get(host, port, question.target)
        except AdminCallError as error:
            raise not_answering(type_name, name, f"{host}:{port}", str(error)) from error

    async def _is_connected(self, type_name: str, key: ResourceKey) -> bool:
        insight = await self._store.get(ResourceKey(f"{type_name}Insight", key.mesh, key.name))
        spec = None if insight is None else resource_of(insight).spec
        return isinstance(spec, ProxyInsight) and spec.is_online


class ZoneAnswers:
    """What a zone's control plane answers to the global one, which has judged who may ask."""

    def __init__(self, store: ResourceStore, calls: AdminCalls, default_port: int) -> None:
        self._store = store
        self._calls = calls
        self._default_port = default_port

    async def answer(self, proxy: ResourceKey, question: Question) -> bytes:
        """Raises: AdminCallError, whose text goes back as it is, and StateError."""
        if proxy.type not in _TITLES:
            raise AdminCallError(f"invalid resource type {go_quote(proxy.type)}")
        stored = await self._store.get(proxy)
        if stored is None:
            named = f"type={go_quote(proxy.type)} name={go_quote(proxy.name)}"
            raise AdminCallError(f"Resource not found: {named} mesh={go_quote(proxy.mesh)}")
        host, port = _admin_address(stored, self._default_port)
        body = await self._calls.get(host, port, question.target)
        return without_credentials(body) if question.view is View.CONFIG_DUMP else body


def without_credentials(dump: bytes) -> bytes:
    """A dump of Envoy's configuration without the token that it shows to its control plane."""
    try:
        found = json.loads(dump)
    except ValueError:
        return dump
    secrets = {each for each in _authorizations(found) if each}
    for secret in secrets:
        dump = dump.replace(json.dumps(secret)[1:-1].encode(), REDACTED.encode())
    return dump


def _authorizations(value: object) -> list[str]:
    """The values of all metadata called `authorization`, wherever it is."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, Mapping):
            waiting += each.values()
            if each.get("key") == "authorization" and isinstance(each.get("value"), str):
                found.append(each["value"])
    return found


def _admin_address(stored: StoredResource, default_port: int) -> tuple[str, int]:
    """Where others reach the admin listener of a proxy; "" where its resource names no address."""
    networking = _member(json.loads(stored.spec), "networking")
    host = _member(networking, "advertisedAddress") or _member(networking, "address")
    port = _member(_member(networking, "admin"), "port")
    return (
        host if isinstance(host, str) else "",
        port if isinstance(port, int) and port > 0 else default_port,
    )


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None
