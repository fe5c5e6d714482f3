"""Which policy of the older generation counts for which part of a proxy.

Source: docs/wire/older-policies.md#which-one-counts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from kong_mesh_cp.core.policy.legacy.attachments import PASS_THROUGH
from kong_mesh_cp.core.policy.legacy.selectors import (
    LegacyPolicy,
    legacy_policies,
    policies_for_inbound,
    policy_for_inbound,
    policy_for_proxy,
    policy_for_service,
    selector_rank,
)
from kong_mesh_cp.core.resources.kinds.legacy.traffic_log import TrafficLog
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import TrafficRoute
from kong_mesh_cp.core.resources.kinds.legacy.traffic_trace import TrafficTrace
from kong_mesh_cp.core.resources.kinds.mesh import LoggingBackend, TracingBackend
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import Tags
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.world import MeshWorld, TagPairs, pairs

S = TypeVar("S")

ROUTE: Final = "TrafficRoute"
PERMISSION: Final = "TrafficPermission"
LOG: Final = "TrafficLog"
TRACE: Final = "TrafficTrace"
OF_OUTBOUNDS: Final = (
    ROUTE,
    PERMISSION,
    "CircuitBreaker",
    "HealthCheck",
    "RateLimit",
    "Retry",
    "Timeout",
    LOG,
    TRACE,
)
OF_INBOUNDS: Final = ("FaultInjection", "RateLimit", TRACE)

ByName = Mapping[str, Resource[object]]


class OlderPolicies:
    """Of one mesh, for the proxies with `tag_sets` in their in- and outbounds."""

    def __init__(self, world: MeshWorld, tag_sets: tuple[TagPairs, ...]) -> None:
        self._world = world
        self._tag_sets = tuple(map(dict, tag_sets))
        self._by_type: dict[str, tuple[LegacyPolicy, ...]] = {}
        self._from_here: dict[str, tuple[LegacyPolicy, ...]] = {}

    def for_service(self, kind: type[S], service: str) -> S | None:
        """The spec of the one policy for what these proxies send to `service`."""
        type_name = kind.__name__
        found = policy_for_service(self._of_sources(type_name), self._tag_sets, service)
        return None if found is None else self._spec(kind, found)

    def for_inbound(self, kind: type[S], tags: Tags) -> tuple[S, ...]:
        """The specs of all policies for an inbound with `tags`, the closest source first."""
        found = policies_for_inbound(self._of_type(kind.__name__), tags)
        specs = (self._spec(kind, each) for each in found)
        return tuple(each for each in specs if each is not None)

    def route(self, service: str) -> TrafficRoute | None:
        return self.for_service(TrafficRoute, service)

    def log(self, service: str) -> LoggingBackend | None:
        """Where what these proxies send to `service` is logged."""
        found = self.for_service(TrafficLog, service)
        return None if found is None else logging_backend(self._world, found)

    @property
    def passing_log(self) -> LoggingBackend | None:
        """Where what they send to no service is logged."""
        return self.log(PASS_THROUGH)

    @property
    def trace(self) -> TracingBackend | None:
        """Where their spans go."""
        policies = self._of_type(TRACE)
        found = policy_for_proxy(policies, self._tag_sets)
        if found is None:
            return None
        trace = self._spec(TrafficTrace, found)
        return None if trace is None else tracing_backend(self._world, trace)

    def may_call(self, service: Resource[ExternalService]) -> bool:
        """Whether a TrafficPermission lets these proxies out to a service outside of the mesh."""
        permission = policy_for_inbound(self._of_type(PERMISSION), service.spec.tags)
        return (
            permission is not None and selector_rank(permission.sources, self._tag_sets) is not None
        )

    def _of_type(self, type_name: str) -> tuple[LegacyPolicy, ...]:
        found = self._by_type.get(type_name)
        if found is None:
            found = self._by_type[type_name] = legacy_policies(self._world.of_type(type_name))
        return found

    def _of_sources(self, type_name: str) -> tuple[LegacyPolicy, ...]:
        """Those that are about traffic from these proxies."""
        found = self._from_here.get(type_name)
        if found is None:
            found = tuple(
                each
                for each in self._of_type(type_name)
                if selector_rank(each.sources, self._tag_sets) is not None
            )
            self._from_here[type_name] = found
        return found

    def _spec(self, kind: type[S], policy: LegacyPolicy) -> S | None:
        return spec_of(kind, self._world.of_type(policy.type), policy)


def older_policies(
    world: MeshWorld, tag_sets: Iterable[Tags], types: tuple[str, ...], parts: Parts
) -> OlderPolicies:
    """The same object as long as neither the mesh nor any policy of `types` has changed.

    Of other types it is not to be asked.
    """
    own = tuple(map(pairs, tag_sets))
    # Held with what was made of them: the key only says which objects they were.
    held = (world.mesh, *map(world.of_type, types))
    ids = tuple(id(each) if each else None for each in held)
    found, _ = parts.made(
        ("older policies", types, own, ids), lambda: (OlderPolicies(world, own), held)
    )
    return found


def spec_of(kind: type[S], by_name: ByName, policy: LegacyPolicy) -> S | None:
    resource = by_name[policy.name]
    return resource.spec if has_spec(resource, kind) else None


def logging_backend(world: MeshWorld, log: TrafficLog) -> LoggingBackend | None:
    """None: the mesh has none of that name."""
    logging = world.mesh.spec.logging
    if logging is None:
        return None
    name = "" if log.conf is None else log.conf.backend
    return _named(logging.backends, name or logging.default_backend, lambda each: each.name)


def tracing_backend(world: MeshWorld, trace: TrafficTrace) -> TracingBackend | None:
    """None: the mesh has none of that name."""
    tracing = world.mesh.spec.tracing
    if tracing is None:
        return None
    name = "" if trace.conf is None else trace.conf.backend
    return _named(tracing.backends, name or tracing.default_backend, lambda each: each.name)


def _named(items: Iterable[S], name: str, name_of: Callable[[S], str]) -> S | None:
    return next((each for each in items if name_of(each) == name), None)
