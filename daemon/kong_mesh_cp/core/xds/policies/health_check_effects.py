"""What MeshHealthCheck does to a proxy.

Source: docs/wire/envoy-policies.md#health-checks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.formats.durations import MINUTE, SECOND, format_duration
from kong_mesh_cp.core.policy.kinds.mesh_health_check import Conf, Grpc, Http, Tcp
from kong_mesh_cp.core.policy.rules.proxies import HostListener
from kong_mesh_cp.core.policy.spec_parts.http_fields import HeaderChanges
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, TypedConf
from kong_mesh_cp.core.xds.effects import DefaultsOf, Effect, OutboundFacts, own_tags
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    HealthCheck,
    HealthEventFile,
    Message,
    duration,
    packed,
)
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.envoy.tags_header import TAGS_HEADER
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.gateways.listener_confs import ListenerConfs, led_to, resources_led_to
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP, HTTP2, TCP
from kong_mesh_cp.core.xds.proxy_view import ProxyView
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL
from kong_mesh_cp.core.xds.unmakeable import number

POLICY_TYPE: Final = "MeshHealthCheck"
INTERVAL: Final = MINUTE
TIMEOUT: Final = 15 * SECOND
UNHEALTHY_AFTER: Final = 5  # failures
HEALTHY_AFTER: Final = 1  # successes
PATH: Final = "/"
EVENT_FILE: Final = "envoy.health_check.event_sinks.file"

_LOCALITY: Final = "locality_config_specifier"
_ZONE_AWARE: Final = "zone_aware_lb_config"


def _outbound_cluster(draft: ClusterDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    # Of an external service that is a resource the egress knows, for all its callers.
    if confs.conf is None or not facts.is_called or (facts.is_resource and facts.is_external):
        return
    conf = confs.conf.of_kind(Conf)
    check_health(draft.message, conf, facts.protocol, facts.tags)


def _gateway(draft: GatewayDraft, view: ProxyView, matched: Matched) -> None:
    """Each cluster is checked once, however many routes lead there: Envoy takes no more."""
    checks = matched.of_type(POLICY_TYPE)
    if not checks.policies:
        return
    wanted: dict[str, tuple[ClusterDraft, TypedConf, str]] = {}
    address = view.networking.address
    for planned in draft.plan.listeners:
        for each in planned.hostnames:
            rules = checks.at_host(HostListener(address, planned.port, each.hostname))
            if rules is None:
                continue
            confs = ListenerConfs(POLICY_TYPE, rules)
            for cluster, destination in led_to(draft, each.hosts):
                conf = confs.of_service(destination.service)
                if conf is not None:
                    wanted[cluster.name] = cluster, conf, HTTP if planned.is_http else TCP
    for cluster, to, protocol in resources_led_to(draft):
        conf = checks.destination(to).conf
        if conf is not None and to.type != EXTERNAL:
            wanted[cluster.name] = cluster, conf, protocol
    tags = own_tags(view)
    for cluster, conf, protocol in wanted.values():
        check_health(cluster.message, conf.of_kind(Conf), protocol, tags)


def check_health(cluster: Message, conf: Conf, protocol: str, tags: str) -> None:
    """`tags` are what requests tell of the proxy that makes them; "": nothing."""
    _panic(cluster, conf)
    kind = _kind(conf, protocol)
    if kind is None:
        return
    check = _check(conf)
    if isinstance(kind, Http):
        _http(check.http_health_check, kind, protocol, tags)
    elif isinstance(kind, Grpc):
        _grpc(check.grpc_health_check, kind)
    else:
        _tcp(check.tcp_health_check, kind)
    cluster.health_checks.append(check)


def _kind(conf: Conf, protocol: str) -> Http | Grpc | Tcp | None:
    """What speaks the protocol; TCP instead of what is switched off, not of what is not there."""
    tcp = None if conf.tcp is None or conf.tcp.disabled else conf.tcp
    if protocol == TCP:
        return tcp
    own: Http | Grpc | None = None
    if protocol in (HTTP, HTTP2):
        own = conf.http
    elif protocol == GRPC:
        own = conf.grpc
    return tcp if own is not None and own.disabled else own


def _panic(cluster: Message, conf: Conf) -> None:
    if conf.healthy_panic_threshold is not None:
        what = f"healthyPanicThreshold of a {POLICY_TYPE}"
        threshold = number(conf.healthy_panic_threshold, what)
        cluster.common_lb_config.healthy_panic_threshold.value = float(threshold)
    if conf.fail_traffic_on_panic is not None:
        common = cluster.common_lb_config
        # Envoy has it for this way of choosing localities alone, the one that there is by default.
        if common.WhichOneof(_LOCALITY) in (None, _ZONE_AWARE):
            common.zone_aware_lb_config.fail_traffic_on_panic = conf.fail_traffic_on_panic
            common.zone_aware_lb_config.SetInParent()


def _check(conf: Conf) -> Message:
    """All but what is asked and what is expected."""
    check: Message = HealthCheck(
        interval=duration(INTERVAL if conf.interval is None else conf.interval),
        timeout=duration(TIMEOUT if conf.timeout is None else conf.timeout),
        unhealthy_threshold={"value": conf.unhealthy_threshold or UNHEALTHY_AFTER},
        healthy_threshold={"value": conf.healthy_threshold or HEALTHY_AFTER},
        interval_jitter_percent=conf.interval_jitter_percent or 0,
        always_log_health_check_failures=conf.always_log_health_check_failures or False,
    )
    if conf.initial_jitter is not None:
        check.initial_jitter.CopyFrom(duration(conf.initial_jitter))
    if conf.interval_jitter is not None:
        check.interval_jitter.CopyFrom(duration(conf.interval_jitter))
    if conf.no_traffic_interval is not None:
        check.no_traffic_interval.CopyFrom(duration(conf.no_traffic_interval))
    if conf.reuse_connection is not None:
        check.reuse_connection.value = conf.reuse_connection
    if conf.event_log_path is not None:
        events = HealthEventFile(event_log_path=conf.event_log_path)
        check.event_logger.add(name=EVENT_FILE, typed_config=packed(events))
    return check


def _tcp(field: Message, conf: Tcp) -> None:
    field.SetInParent()
    # Envoy takes no empty payload; to send nothing is to have none.
    if conf.send:
        field.send.text = _hexadecimal(conf.send)
    for each in conf.receive or ():
        if each:
            field.receive.add(text=_hexadecimal(each))


def _grpc(field: Message, conf: Grpc) -> None:
    field.SetInParent()
    field.service_name = conf.service_name or ""
    field.authority = conf.authority or ""


def _hexadecimal(text: str) -> str:
    """The characters of the conf themselves, whatever they encode: so the original has it."""
    return text.encode().hex()


def _http(field: Message, conf: Http, protocol: str, tags: str) -> None:
    field.path = PATH if conf.path is None else conf.path
    for option in _headers(conf.request_headers_to_add or HeaderChanges(), tags):
        field.request_headers_to_add.add(**option)
    for status in conf.expected_statuses or ():
        field.expected_statuses.add(start=status, end=status + 1)
    if protocol == HTTP2:
        field.codec_client_type = "HTTP2"


def _headers(changes: HeaderChanges, tags: str) -> Iterator[dict[str, object]]:
    if tags:
        yield {"header": {"key": TAGS_HEADER, "value": tags}}
    for header in changes.add or ():
        for item in header.value.split(","):
            yield header_option(header.name, item, append=True)
    for header in changes.set or ():
        for item in header.value.split(","):
            yield header_option(header.name, item, append=False)


def _defaults(of: DefaultsOf) -> Mapping[str, object]:
    """Of a check that is made; nothing is checked that no policy wants to be."""
    own = "http" if of.protocol in (HTTP, HTTP2) else of.protocol
    if of.is_inbound or of.conf is None or own not in of.conf or of.is_external:
        return {}
    found: dict[str, object] = {
        "interval": format_duration(INTERVAL),
        "timeout": format_duration(TIMEOUT),
        "unhealthyThreshold": UNHEALTHY_AFTER,
        "healthyThreshold": HEALTHY_AFTER,
    }
    return {**found, "http.path": PATH} if own == "http" else found


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    asks_for_tags=True,
    outbound_cluster=_outbound_cluster,
    gateway=_gateway,
    defaults=_defaults,
)
