"""All that a builtin gateway has for the MeshGateway it serves.

Source: docs/wire/gateways.md#listeners
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.resources.kinds.mesh_gateway import TlsMode
from kong_mesh_cp.core.xds.assignments import EndpointSource, assignments
from kong_mesh_cp.core.xds.draft import WRONG_INPUT, Complaint, Draft
from kong_mesh_cp.core.xds.effects import own_tags
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, Runtime
from kong_mesh_cp.core.xds.envoy.tls import edge_certificate
from kong_mesh_cp.core.xds.facts.logged_traffic import INBOUND, sent_by
from kong_mesh_cp.core.xds.facts.proxy_facts import proxy_facts
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.gateway_plan import (
    GatewayDestination,
    GatewayListener,
    GatewayPlan,
    ListenerHostname,
)
from kong_mesh_cp.core.xds.gateways.older_gateway_routes import ROUTE as OLDER_ROUTE
from kong_mesh_cp.core.xds.gateways.planned_gateway import GATEWAY, planned_gateway
from kong_mesh_cp.core.xds.generators.gateway.connection_policies import police_connections
from kong_mesh_cp.core.xds.generators.gateway.gateway_certificates import (
    EdgeCertificate,
    edge_certificate_of,
)
from kong_mesh_cp.core.xds.generators.gateway.gateway_chains import (
    EdgeTerms,
    chained_hostnames,
    edge_chain,
    edge_listener,
)
from kong_mesh_cp.core.xds.generators.gateway.gateway_clusters import GatewayClusters
from kong_mesh_cp.core.xds.generators.gateway.gateway_tables import add_host, route_configuration
from kong_mesh_cp.core.xds.generators.older.logs import LogTarget, log_target
from kong_mesh_cp.core.xds.generators.older.older_policies import (
    LOG,
    OF_OUTBOUNDS,
    TRACE,
    older_policies,
)
from kong_mesh_cp.core.xds.generators.older.traces import Tracer, tracer_of
from kong_mesh_cp.core.xds.matching import Matched, MatchedType
from kong_mesh_cp.core.xds.names import CLUSTER, GATEWAY_RUNTIME, LISTENER, ROUTE, RUNTIME, SECRET
from kong_mesh_cp.core.xds.outside.external_services import EXTERNAL, secrets_of
from kong_mesh_cp.core.xds.outside.external_services import SECRET as SECRETS
from kong_mesh_cp.core.xds.parts import Parts, resource
from kong_mesh_cp.core.xds.policies.effect_catalogue import EFFECTS
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

ANY_SERVICE: Final = "*"  # where lines of logs tell a destination

# Types that are looked at by name, beside what worlds have in a form of its own.
_TYPES: Final = (GATEWAY, OLDER_ROUTE, SECRETS, EXTERNAL, "FaultInjection", *OF_OUTBOUNDS)


class _Made(NamedTuple):
    """All of a gateway but endpoints and its mesh's certificates."""

    asked: frozenset[ServiceKey]
    resources: Mapping[str, Mapping[str, Resource]]  # by type, then by name
    sources: Mapping[str, EndpointSource]  # by cluster
    trusts: frozenset[str]  # meshes
    trusts_all: bool  # every mesh there is
    complaints: tuple[Complaint, ...]
    policies: Mapping[str, MatchedType]  # by type: of which it was made


def builtin_gateway(view: ProxyView, matched: Matched, draft: Draft) -> None:
    world, parts = view.world, draft.parts
    types = tuple(world.of_type(each) for each in _TYPES)
    # Held with what was made of them: the key only says which objects they were.
    held: tuple[object, ...] = (
        *(view.dataplane, view.metadata, world.mesh, world.policies),
        *(world.protocols, world.across, world.tls_ready, world.external),
        *(world.services, world.reached, world.crossing.modes, *types),
    )
    ids = tuple(id(each) if each else None for each in held)
    key = ("builtin gateway", view.terms, view.with_shadow, ids)
    made, _ = parts.made(key, lambda: (_made(view, matched, parts), held))
    behind = (world.mesh, world.endpoints, world.reached, world.across, world.external)
    # Held likewise.
    ranked = (made, draft.assigned, *behind)
    assigned, _ = parts.made(
        ("assigned to a gateway", *map(id, ranked)),
        lambda: (
            assignments({**draft.assigned.sources, **made.sources}, world, parts),
            ranked,
        ),
    )
    matched.asked_before(made.policies)
    draft.services |= made.asked
    draft.complaints += made.complaints
    for type_url, named in made.resources.items():
        draft.put_all(type_url, named)
    draft.assign(assigned)
    draft.trusted |= made.trusts
    draft.trusts_all |= made.trusts_all


def _made(view: ProxyView, matched: Matched, parts: Parts) -> _Made:
    asked = set[ServiceKey]()
    complaints: list[Complaint] = []
    try:
        plan = planned_gateway(view, matched, asked)
    except WRONG_INPUT as error:
        plan = None
        complaints.append(Complaint(GATEWAY, str(error)))
    runtime = {GATEWAY_RUNTIME: _runtime(plan)}
    if plan is None:
        resources = {RUNTIME: _finished(runtime)}
        told = tuple(dict.fromkeys(complaints))
        return _Made(frozenset(asked), resources, {}, frozenset(), False, told, matched.asked)
    certificates: dict[str, EdgeCertificate] = {}
    draft = GatewayDraft(plan)
    clusters = GatewayClusters(view, parts)
    _add_clusters(draft, clusters)
    complaints += _add_listeners(draft, view, parts, certificates)
    tags = own_tags(view)
    complaints += _add_tables(
        draft, lambda destination: tags if clusters.takes_tags(destination) else ""
    )
    police_connections(draft, view, matched)
    for effect in EFFECTS:
        if effect.gateway is not None:
            try:
                effect.gateway(draft, view, matched)
            except WRONG_INPUT as error:
                complaints.append(Complaint(effect.policy_type, str(error)))
    secrets = {
        name: edge_certificate(name, each.chain, each.key) for name, each in certificates.items()
    }
    resources = {
        CLUSTER: _finished({name: each.whole() for name, each in draft.clusters.items()}),
        LISTENER: _finished({name: each.whole() for name, each in draft.listeners.items()}),
        ROUTE: _finished(draft.tables),
        SECRET: _finished(secrets),
        RUNTIME: _finished(runtime),
    }
    is_secured = any(each.tls is not None for each in draft.clusters.values())
    is_called_from_meshes = any(
        each.is_cross_mesh and each.name in draft.listeners for each in plan.listeners
    )
    return _Made(
        frozenset(asked),
        resources,
        draft.sources,
        frozenset({view.world.name} if is_secured else ()),
        is_called_from_meshes,
        tuple(dict.fromkeys(complaints)),
        matched.asked,
    )


def _finished(messages: Mapping[str, Message]) -> Mapping[str, Resource]:
    # A patch may have given it another name, under which it is sent.
    return {name: resource(each.name or name, each) for name, each in messages.items()}


def _runtime(plan: GatewayPlan | None) -> Message:
    """The limits of all listeners: Envoy reads them from its runtime."""
    runtime: Message = Runtime(name=GATEWAY_RUNTIME)
    runtime.layer.SetInParent()
    for each in () if plan is None else plan.listeners:
        if each.connection_limit:
            key = f"envoy.resource_limits.listener.{each.name}.connection_limit"
            runtime.layer.fields[key].number_value = each.connection_limit
    return runtime


def _add_clusters(draft: GatewayDraft, clusters: GatewayClusters) -> None:
    for _, _, destination in draft.plan.destinations:
        made = clusters.made(destination)
        if made is None:
            continue
        draft.clusters[made.name] = made
        draft.destinations[made.name] = destination
        source = clusters.source(destination)
        if source is None:
            draft.sources.pop(made.name, None)
        else:
            draft.sources[made.name] = source


def _add_listeners(
    draft: GatewayDraft,
    view: ProxyView,
    parts: Parts,
    certificates: dict[str, EdgeCertificate],
) -> Iterator[Complaint]:
    log, tracer = None, None
    try:
        log, tracer = _told(view, parts)
    except WRONG_INPUT as error:
        yield Complaint(draft.plan.gateway.name, str(error))
    facts = proxy_facts(view)
    terms = EdgeTerms(
        mesh=view.world.name,
        service=view.dataplane.spec.service,
        address=view.networking.address,
        http=view.http_terms,
        has_mtls=view.world.authority is not None,
        log=log,
        logged=sent_by(facts, view.world.name, ANY_SERVICE, INBOUND),
        tracer=tracer,
    )
    secrets = secrets_of(view.world.resources)
    for planned in draft.plan.listeners:
        made = edge_listener(planned, terms)
        for hostname in chained_hostnames(planned):
            try:
                shown = _certificates(planned, hostname, secrets, certificates)
                made.chains.append(edge_chain(planned, hostname, shown, terms))
            except WRONG_INPUT as error:
                yield Complaint(planned.name, str(error))
        # Envoy takes none without chains.
        if made.chains:
            draft.listeners[planned.name] = made


def _told(view: ProxyView, parts: Parts) -> tuple[LogTarget | None, Tracer | None]:
    """Where a TrafficLog and a TrafficTrace say that requests are told."""
    world = view.world
    if not (world.of_type(LOG) or world.of_type(TRACE)):
        return None, None
    policies = older_policies(world, view.dataplane.spec.tag_sets, (LOG, TRACE), parts)
    return log_target(policies.passing_log), tracer_of(policies.trace)


def _certificates(
    planned: GatewayListener,
    hostname: ListenerHostname,
    secrets: Mapping[str, bytes],
    known: dict[str, EdgeCertificate],
) -> list[str]:
    """The names of the secrets of one chain, which `known` gets. Raises: UnmakeableError."""
    shown: dict[str, str] = {}  # by the kind of their keys
    is_ended_here = hostname.tls is not None and hostname.tls.mode is TlsMode.TERMINATE
    if hostname.tls is None or not is_ended_here or planned.is_cross_mesh:
        return []
    for source in hostname.tls.certificates:
        found = edge_certificate_of(source, hostname.hostname, secrets)
        if found.kind in shown:
            raise UnmakeableError(
                f"two certificates of {hostname.hostname} have keys of one kind: one may be of RSA,"
                " the other one of ECDSA"
            )
        # What stands inline is named after its host, which other listeners may have, too.
        if known.setdefault(found.name, found) != found:
            found = replace(found, name=f"{found.name}:{planned.port}")
            known[found.name] = found
        shown[found.kind] = found.name
    return [*shown.values()]


def _add_tables(
    draft: GatewayDraft, tells_tags: Callable[[GatewayDestination], str]
) -> Iterator[Complaint]:
    for planned in draft.plan.listeners:
        if not planned.is_http:
            continue
        for hostname in planned.hostnames:
            name = planned.table(hostname.hostname)
            table = draft.tables.get(name)
            if table is None:
                table = draft.tables[name] = route_configuration(name)
            for host in hostname.hosts:
                for reason in add_host(table, planned, host, tells_tags):
                    yield Complaint(name, reason)
