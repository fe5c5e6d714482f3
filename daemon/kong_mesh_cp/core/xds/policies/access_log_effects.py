"""What MeshAccessLog does to a proxy: who writes down what it forwarded, and in which form.

Source: docs/wire/envoy-observability.md#access-logs
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.formats.go.go_json import encoded
from kong_mesh_cp.core.policy.kinds.mesh_access_log import (
    Backend,
    Conf,
    File,
    Format,
    OpenTelemetry,
    Tcp,
)
from kong_mesh_cp.core.policy.legacy.attachments import PASS_THROUGH
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.resources.tags import SERVICE_UNKNOWN
from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.effects import (
    Effect,
    InboundFacts,
    OutboundFacts,
)
from kong_mesh_cp.core.xds.envoy.access_logs import JsonFormat, collector_log, file_log
from kong_mesh_cp.core.xds.envoy.collectors import collector_at, collector_cluster
from kong_mesh_cp.core.xds.envoy.envoy_messages import AnyValue, Message, merged_json, unpacked
from kong_mesh_cp.core.xds.envoy.listeners import HTTP_MANAGER, TCP_PROXY, ListenerDraft
from kong_mesh_cp.core.xds.facts.log_collectors import ACCESS_LOG, log_collectors
from kong_mesh_cp.core.xds.facts.logged_traffic import (
    CONNECTION_FORMAT,
    EXTERNAL,
    INBOUND,
    REQUEST_FORMAT,
    LoggedTraffic,
    sent_by,
)
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts, proxy_facts
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import confs_at, place_at
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.names import (
    CLUSTER,
    DIRECT_ACCESS,
    LISTENER,
    Origin,
    log_collector,
    passthrough,
)
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

ANYWHERE: Final = "*"  # the destination of what a gateway sends on


def _inbound_listener(draft: ListenerDraft, facts: InboundFacts, confs: InboundConfs) -> None:
    # The caller is not known where the conf is made, and the proxy has one name for all inbounds.
    if confs.rules is not None and facts.proxy is not None:
        _log(draft, confs.rules, _taken_by(facts.proxy, facts.mesh))


def _taken_by(proxy: ProxyFacts, mesh: str) -> LoggedTraffic:
    return LoggedTraffic(
        proxy=proxy,
        mesh=mesh,
        direction=INBOUND,
        source=SERVICE_UNKNOWN,
        destination=proxy.service,
    )


def _outbound_listener(draft: ListenerDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    if confs.conf is not None and facts.proxy is not None:
        _log(draft, confs.conf, sent_by(facts.proxy, facts.mesh, facts.resource or facts.service))


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    """What it takes, and what it sends on: its routes say where only once a request is there."""
    logs, mesh = matched.of_type(ACCESS_LOG), view.world.name
    if not logs.policies:
        return
    proxy = proxy_facts(view, log_collectors(view, matched))
    for planned in draft.plan.listeners:
        listener, confs = draft.listener(planned), confs_at(logs, view, planned)
        if listener is None:
            continue
        sent = None if confs is None else confs.of_all.conf
        if sent is not None:
            _log(listener, sent, sent_by(proxy, mesh, ANYWHERE))
        taken = logs.inbound(place_at(view, planned)).rules
        if taken is not None:
            _log(listener, taken, _taken_by(proxy, mesh))


def _log(draft: ListenerDraft, conf: TypedConf, traffic: LoggedTraffic) -> None:
    for chain in draft.chains:
        if chain.http is not None:
            chain.http.access_log.extend(_logs(conf, traffic, REQUEST_FORMAT))
        if chain.tcp is not None:
            chain.tcp.access_log.extend(_logs(conf, traffic, CONNECTION_FORMAT))


def _whole_proxy(view: ProxyView, matched: Matched, draft: Draft) -> None:
    logs = matched.of_type(ACCESS_LOG)
    if not logs.policies:
        return
    proxy = proxy_facts(view, log_collectors(view, matched))
    _add_collectors(view, proxy, draft)
    conf = logs.service(PASS_THROUGH).conf
    if conf is None:
        return
    to_all = [passthrough(inbound=False, ipv6=ipv6) for ipv6 in (False, True)]
    for name in tuple(draft.made(LISTENER)):
        if name in to_all:
            traffic = sent_by(proxy, view.world.name, EXTERNAL)
        elif name.startswith(f"{DIRECT_ACCESS}_"):
            traffic = sent_by(proxy, view.world.name, name)
        else:
            continue
        draft.edit(LISTENER, name, _log_made, conf, traffic)


def _add_collectors(view: ProxyView, proxy: ProxyFacts, draft: Draft) -> None:
    ipv6 = ":" in view.networking.address
    for place, collector in enumerate(proxy.collectors):
        draft.add(CLUSTER, log_collector(place), collector_cluster, collector, ipv6)


def _log_made(listener: Message, conf: TypedConf, traffic: LoggedTraffic) -> None:
    formats = {HTTP_MANAGER: REQUEST_FORMAT, TCP_PROXY: CONNECTION_FORMAT}
    for chain in listener.filter_chains:
        for each in chain.filters:
            if each.name in formats:
                config = unpacked(each.typed_config.SerializeToString())
                config.access_log.extend(_logs(conf, traffic, formats[each.name]))
                each.typed_config.value = config.SerializeToString(deterministic=True)


def _logs(typed: TypedConf, traffic: LoggedTraffic, otherwise: str) -> Iterator[Message]:
    """One for each backend; `otherwise` is the format where one says none."""
    conf = typed.of_kind(Conf)
    for backend in conf.backends or ():
        match backend:
            case Backend(tcp=Tcp() as tcp):
                yield _tcp(tcp, traffic, otherwise)
            case Backend(file=File() as file):
                line, omit_empty = _line(file.format, traffic, otherwise)
                yield file_log(file.path, line, omit_empty=omit_empty)
            case Backend(open_telemetry=OpenTelemetry() as collector):
                yield _open_telemetry(collector, traffic, otherwise)
            case _:
                pass  # which no write lets pass


def _tcp(tcp: Tcp, traffic: LoggedTraffic, otherwise: str) -> Message:
    line, omit_empty = _line(tcp.format, traffic, otherwise)
    message = (("address", tcp.address), ("message", line))
    return file_log(traffic.pipe, message, omit_empty=omit_empty)


def _line(
    form: Format | None, traffic: LoggedTraffic, otherwise: str
) -> tuple[str | JsonFormat, bool]:
    """How a line is written, and whether what is empty is left out of it."""
    if form is None:
        return traffic.filled_in(f"{otherwise}\n"), False
    if form.plain is None and form.json is not None:
        # Of two members of one name the last counts.
        members = {each.key: traffic.filled_in(each.value) for each in form.json}
        return tuple(members.items()), form.omit_empty_values
    plain = otherwise if form.plain is None else form.plain
    return traffic.filled_in(f"{plain}\n"), form.omit_empty_values


def _open_telemetry(conf: OpenTelemetry, traffic: LoggedTraffic, otherwise: str) -> Message:
    collector, known = collector_at(conf.endpoint), traffic.proxy.collectors
    if collector not in known:
        raise UnmakeableError(f"the proxy has no cluster for the collector {collector}")
    place = known.index(collector)
    attributes = [(each.key, traffic.filled_in(each.value)) for each in conf.attributes or ()]
    return collector_log(log_collector(place), _body(conf.body, traffic, otherwise), attributes)


def _body(said: object, traffic: LoggedTraffic, otherwise: str) -> Message:
    """An AnyValue as it is said in JSON; what is none is taken as the text that it is."""
    body = AnyValue(string_value=otherwise)
    if said is not None and not merged_json(body, said):
        body = AnyValue(string_value=encoded(said))
    _fill_in(body, traffic)
    return body


def _fill_in(value: Message, traffic: LoggedTraffic) -> None:
    match value.WhichOneof("value"):
        case "string_value":
            value.string_value = traffic.filled_in(value.string_value)
        case "array_value":
            for each in value.array_value.values:
                _fill_in(each, traffic)
        case "kvlist_value":
            for each in value.kvlist_value.values:
                each.key = traffic.filled_in(each.key)
                _fill_in(each.value, traffic)
        case _:
            pass  # no text


EFFECT: Final = Effect(
    policy_type=ACCESS_LOG,
    names_proxy=True,
    inbound_listener=_inbound_listener,
    outbound_listener=_outbound_listener,
    gateway=_gateway,
    whole_proxy=_whole_proxy,
    origin=Origin.ACCESS_LOG,
)
