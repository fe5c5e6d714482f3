"""What a Timeout does to an outbound. Without one nothing but connecting is limited.

Source: docs/wire/older-policies.md#timeouts
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.resources.kinds.legacy.timeout import Conf, Grpc, Http, Tcp
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import duration
from kong_mesh_cp.core.xds.envoy.listeners import ChainDraft
from kong_mesh_cp.core.xds.protocols import GRPC, HTTP_LIKE

CONNECT: Final = 5 * SECOND
NO_LIMIT: Final = 0


def limit_chain(chain: ChainDraft, protocol: str, conf: Conf) -> None:
    if chain.tcp is not None:
        tcp = conf.tcp or Tcp()
        chain.tcp.idle_timeout.CopyFrom(duration(tcp.idle_timeout or NO_LIMIT))
    if chain.http is not None:
        http, grpc = conf.http or Http(), conf.grpc or Grpc()
        common = chain.http.common_http_protocol_options
        common.idle_timeout.CopyFrom(duration(http.idle_timeout or NO_LIMIT))
        idle = http.stream_idle_timeout
        if idle is None and protocol == GRPC:
            idle = grpc.stream_idle_timeout
        chain.http.stream_idle_timeout.CopyFrom(duration(idle or NO_LIMIT))


def request_timeout(conf: Conf) -> int:
    """Of the routes, in nanoseconds; 0: none."""
    return (conf.http or Http()).request_timeout or NO_LIMIT


def limit_cluster(draft: ClusterDraft, conf: Conf) -> None:
    connect = conf.connect_timeout
    draft.connect_within(CONNECT if connect is None else connect)
    if draft.protocol not in HTTP_LIKE:
        return
    http, grpc = conf.http or Http(), conf.grpc or Grpc()
    common = draft.http.common_http_protocol_options
    common.idle_timeout.CopyFrom(duration(http.idle_timeout or NO_LIMIT))
    longest = http.max_stream_duration
    if not longest and draft.protocol == GRPC:
        longest = grpc.max_stream_duration
    if longest:
        common.max_stream_duration.CopyFrom(duration(longest))
