"""What a HealthCheck does to the clusters of a service.

Source: docs/wire/older-policies.md#health-checks
"""

from __future__ import annotations

from struct import pack, unpack

from kong_mesh_cp.core.resources.kinds.legacy.health_check import Conf, Http, Tcp
from kong_mesh_cp.core.xds.envoy.envoy_messages import HealthCheck, Message, duration
from kong_mesh_cp.core.xds.envoy.http import header_option
from kong_mesh_cp.core.xds.protocols import HTTP2


def probe_endpoints(cluster: Message, protocol: str, conf: Conf) -> None:
    if conf.healthy_panic_threshold is not None:
        threshold = cluster.common_lb_config.healthy_panic_threshold
        threshold.value = _as_stored(conf.healthy_panic_threshold)
    if conf.fail_traffic_on_panic is not None:
        zones = cluster.common_lb_config.zone_aware_lb_config
        zones.SetInParent()
        zones.fail_traffic_on_panic = conf.fail_traffic_on_panic
    check = _check(conf)
    if conf.http is None:
        check.tcp_health_check.SetInParent()
        _tcp(check.tcp_health_check, conf.tcp or Tcp())
    else:
        check.http_health_check.SetInParent()
        _http(check.http_health_check, protocol, conf.http)
    cluster.health_checks.append(check)


def _as_stored(number: float) -> float:
    """The form has 32 bits for it, where Envoy has 64."""
    (found,) = unpack("f", pack("f", number))
    return float(found)


def _check(conf: Conf) -> Message:
    check: Message = HealthCheck(
        unhealthy_threshold={"value": conf.unhealthy_threshold},
        healthy_threshold={"value": conf.healthy_threshold},
        interval_jitter_percent=conf.interval_jitter_percent,
        event_log_path=conf.event_log_path,
        always_log_health_check_failures=bool(conf.always_log_health_check_failures),
    )
    for field, said in (
        (check.interval, conf.interval),
        (check.timeout, conf.timeout),
        (check.initial_jitter, conf.initial_jitter),
        (check.interval_jitter, conf.interval_jitter),
        (check.no_traffic_interval, conf.no_traffic_interval),
    ):
        if said is not None:
            field.CopyFrom(duration(said))
    if conf.reuse_connection is not None:
        check.reuse_connection.value = conf.reuse_connection
    return check


def _tcp(probe: Message, conf: Tcp) -> None:
    if conf.send is not None:
        probe.send.text = conf.send.hex()
    for expected in conf.receive:
        probe.receive.add(text=expected.hex())


def _http(probe: Message, protocol: str, conf: Http) -> None:
    probe.path = conf.path
    for option in conf.request_headers_to_add:
        if option.header is not None:
            header = option.header
            probe.request_headers_to_add.add(
                **header_option(header.key, header.value, append=bool(option.append))
            )
    for status in conf.expected_statuses:
        probe.expected_statuses.add(start=status, end=status + 1)
    # Proxies speak HTTP/2 with each other; the original probes so only where the service does.
    probe.codec_client_type = "HTTP2" if protocol == HTTP2 else "HTTP1"
