"""Traffic that a proxy writes down, and what Envoy does not know of it: placeholders in formats.

Source: docs/wire/envoy-observability.md#access-logs
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.xds.bootstrap.socket_paths import access_log_socket
from kong_mesh_cp.core.xds.facts.proxy_facts import ProxyFacts

INBOUND: Final = "INBOUND"
OUTBOUND: Final = "OUTBOUND"
PASSING: Final = "UNSPECIFIED"  # as TrafficLogs have the direction of what is for no service
EXTERNAL: Final = "external"  # the destination of what is for no service

CONNECTION_FORMAT: Final = (
    "[%START_TIME%] %RESPONSE_FLAGS% %KUMA_MESH%"
    " %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)"
    "->%UPSTREAM_HOST%(%KUMA_DESTINATION_SERVICE%)"
    " took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes"
)
REQUEST_FORMAT: Final = (
    '[%START_TIME%] %KUMA_MESH% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"'
    " %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION%"
    ' %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"'
    ' "%REQ(X-B3-TRACEID?X-DATADOG-TRACEID)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%"'
    ' "%KUMA_SOURCE_SERVICE%" "%KUMA_DESTINATION_SERVICE%" "%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%"'
    ' "%UPSTREAM_HOST%"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTraffic:
    """Traffic as the placeholders name it, through the proxy that writes it down."""

    mesh: str
    proxy: ProxyFacts
    direction: str
    source: str
    destination: str

    @property
    def pipe(self) -> str:
        """Where kuma-dp takes lines from, to send them: Envoy has no logger for TCP."""
        return access_log_socket(self.proxy.workdir, self.proxy.name, self.mesh)

    def filled_in(self, text: str) -> str:
        """`text`, with what Envoy does not know in the place of its placeholders."""
        for name, value in (
            ("SOURCE_ADDRESS", join_host_port(self.proxy.address, 0)),
            ("SOURCE_ADDRESS_WITHOUT_PORT", self.proxy.address),
            ("SOURCE_SERVICE", self.source),
            ("DESTINATION_SERVICE", self.destination),
            ("MESH", self.mesh),
            ("TRAFFIC_DIRECTION", self.direction),
        ):
            text = text.replace(f"%KUMA_{name}%", value)
        return text


def sent_by(
    proxy: ProxyFacts, mesh: str, destination: str, direction: str = OUTBOUND
) -> LoggedTraffic:
    """What a proxy sends to `destination`, as the service that it is called after."""
    return LoggedTraffic(
        mesh=mesh,
        proxy=proxy,
        direction=direction,
        source=proxy.service,
        destination=destination,
    )
