"""The collectors that a proxy sends its access logs to over OpenTelemetry.

Each has a cluster of the proxy, which is named by its place among them.

Source: docs/wire/envoy-observability.md#collectors
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from kong_mesh_cp.core.policy.confs import UnreadableConfError
from kong_mesh_cp.core.policy.kinds.mesh_access_log import Conf
from kong_mesh_cp.core.policy.legacy.attachments import PASS_THROUGH
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.proxies import Listener, served_gateway
from kong_mesh_cp.core.policy.rules.subsets import TooManySubsetsError
from kong_mesh_cp.core.policy.typed_confs import InboundConfs, TypedConf
from kong_mesh_cp.core.xds.envoy.collectors import Collector, collector_at
from kong_mesh_cp.core.xds.gateways.listener_confs import ListenerConfs
from kong_mesh_cp.core.xds.matching import Matched, MatchedType
from kong_mesh_cp.core.xds.proxy_view import OutboundTarget, ProxyView, place_of
from kong_mesh_cp.core.xds.targets import targets_of

ACCESS_LOG: Final = "MeshAccessLog"


def log_collectors(view: ProxyView, matched: Matched) -> tuple[Collector, ...]:
    """In the order in which the parts of the proxy ask for them: inbounds, outbounds to services by
    their tags, the passthrough, outbounds to resources; or listeners of a gateway.
    """
    logs = matched.of_type(ACCESS_LOG)
    if not logs.policies:
        return ()
    inbounds = tuple(_inbound(logs, each) for each in _listeners(view))
    edge = tuple(_at_gateway(view, logs))
    targets, outgoing = targets_of(view, matched.parts), logs.outgoing
    transparent = view.networking.transparent_proxying
    has_passthrough = transparent is not None and transparent.redirect_port_outbound != 0

    def make() -> tuple[tuple[Collector, ...], object]:
        outgoing_confs = _outgoing(logs, targets, has_passthrough=has_passthrough)
        confs = [*inbounds, *outgoing_confs, *edge]
        named = dict.fromkeys(each for conf in confs for each in _named(conf))
        return tuple(named), (targets, outgoing)

    # Held with what was made of them: the key only says which objects they were.
    key = ("log collectors", inbounds, edge, id(targets), id(outgoing), has_passthrough)
    found, _ = matched.parts.made(key, make)
    return found


def _listeners(view: ProxyView) -> Iterator[Listener]:
    for each in view.networking.inbound:
        place = place_of(each, view.networking)
        yield Listener(place.address, place.port)


def _inbound(logs: MatchedType, listener: Listener) -> TypedConf | None:
    confs = InboundConfs()
    # What cannot be read is told where the inbound is made.
    with suppress(UnreadableConfError, TooManySubsetsError):
        confs = logs.inbound(listener)
    return confs.rules


def _at_gateway(view: ProxyView, logs: MatchedType) -> Iterator[TypedConf | None]:
    """Of the listeners of the gateway that the proxy serves: what is sent on, and what is taken."""
    if not view.dataplane.spec.is_builtin_gateway:
        return
    gateway = served_gateway(proxy_of(view.dataplane), view.world.policies.gateways)
    ports = () if gateway is None else sorted({each.port for each in gateway.listeners})
    for port in ports:
        place = Listener(view.networking.address, port)
        rules = logs.at_listener(place)
        if rules is not None:
            with suppress(UnreadableConfError):
                yield ListenerConfs(logs.type, rules).of_all.conf
        yield _inbound(logs, place)


def _outgoing(
    logs: MatchedType, targets: tuple[OutboundTarget, ...], *, has_passthrough: bool
) -> Iterator[TypedConf | None]:
    services = [each.service for each in targets if each.resource is None]
    if has_passthrough:
        services.append(PASS_THROUGH)
    for service in services:
        with suppress(UnreadableConfError):
            yield logs.service(service).conf
    for target in targets:
        if target.resource is not None:
            with suppress(UnreadableConfError):
                yield logs.destination(target.resource).conf


def _named(conf: TypedConf | None) -> Iterator[Collector]:
    if conf is None:
        return
    for backend in conf.of_kind(Conf).backends or ():
        collector = backend.open_telemetry
        if collector is not None and backend.tcp is None and backend.file is None:
            yield collector_at(collector.endpoint)
