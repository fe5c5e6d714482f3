"""What a Retry does to an outbound.

Source: docs/wire/older-policies.md#retries
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.resources.kinds.legacy.connections import HttpMethod
from kong_mesh_cp.core.resources.kinds.legacy.retry import (
    BackOff,
    Conf,
    Grpc,
    GrpcRetryOn,
    Http,
    HttpRetryOn,
)
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, RetryPolicy, duration
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.policies.retry_effects import (
    GRPC_RETRY_ON,
    HTTP_RETRY_ON,
    STATUS_CODES,
)
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP

_5XX: Final = "5xx"  # which a name of protobuf cannot begin with


def retry_requests(host: Message, protocol: str, conf: Conf) -> None:
    """All requests of a virtual host. Of http2 none is made again, as with the original."""
    policy: Message | None = None
    if protocol == HTTP and conf.http is not None:
        policy = _http(conf.http)
    elif protocol == GRPC and conf.grpc is not None:
        policy = _grpc(conf.grpc)
    if policy is not None:
        host.retry_policy.CopyFrom(policy)


def retry_connections(chain: ChainDraft, conf: Conf) -> None:
    if chain.tcp is not None and conf.tcp is not None:
        chain.tcp.max_connect_attempts.value = conf.tcp.max_connect_attempts


def _grpc(conf: Grpc) -> Message:
    named = ",".join(_envoy_name(each) for each in conf.retry_on)
    return _policy(named or GRPC_RETRY_ON, conf)


def _http(conf: Http) -> Message:
    conditions = [_envoy_name(each) for each in conf.retry_on] or HTTP_RETRY_ON.split(",")
    if conf.retriable_status_codes and STATUS_CODES not in conditions:
        conditions.append(STATUS_CODES)
    policy = _policy(",".join(conditions), conf)
    policy.retriable_status_codes.extend(conf.retriable_status_codes)
    for method in conf.retriable_methods:
        if method is not HttpMethod.NONE:
            policy.retriable_request_headers.add(
                name=":method", string_match={"exact": method.name}
            )
    return policy


def _policy(retry_on: str, conf: Http | Grpc) -> Message:
    policy: Message = RetryPolicy(retry_on=retry_on)
    if conf.per_try_timeout is not None:
        policy.per_try_timeout.CopyFrom(duration(conf.per_try_timeout))
    if conf.num_retries is not None:
        policy.num_retries.value = conf.num_retries
    if conf.back_off is not None:
        _back_off(policy.retry_back_off, conf.back_off)
    return policy


def _back_off(field: Message, conf: BackOff) -> None:
    field.SetInParent()
    if conf.base_interval is not None:
        field.base_interval.CopyFrom(duration(conf.base_interval))
    if conf.max_interval is not None:
        field.max_interval.CopyFrom(duration(conf.max_interval))


def _envoy_name(condition: HttpRetryOn | GrpcRetryOn) -> str:
    if condition is HttpRetryOn.all_5xx:
        return _5XX
    return condition.name.replace("_", "-")
