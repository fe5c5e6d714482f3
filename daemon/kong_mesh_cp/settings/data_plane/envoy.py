"""What Envoy is started with, and how its configuration is kept up to date."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.options import option

GATEWAY_CONNECTIONS_MAX: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapParamsSettings:
    """What is written into the configuration that a proxy starts Envoy with."""

    admin_address: str = option(
        forms.INTERFACE,
        default="127.0.0.1",
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ADDRESS",
        doc="The address on which Envoy's admin interface listens.",
    )
    admin_port: int = option(
        forms.PORT,
        default=9901,
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_PORT",
        doc="The port of Envoy's admin interface, where the Dataplane has none in "
        "networking.admin.port.",
    )
    admin_access_log_path: Path = option(
        forms.FILE_PATH,
        default=Path("/dev/null"),
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ACCESS_LOG_PATH",
        doc="The file, on the machine of the proxy, to which Envoy writes who used its admin "
        "interface.",
    )
    xds_host: str | None = option(
        forms.SERVER,
        default=None,
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST",
        default_text="not set: the host by which the proxy has found this control plane",
        doc="The name or address by which Envoy finds this control plane.",
    )
    xds_port: int = option(
        forms.PORT,
        default=0,
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_PORT",
        default_text="0: dpServer.port",
        doc="The port by which Envoy finds this control plane, where another program forwards it.",
    )
    xds_connect_timeout: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=1),
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_CONNECT_TIMEOUT",
        doc="How long Envoy tries to connect to this control plane, each time.",
    )
    corefile_template_path: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_BOOTSTRAP_SERVER_PARAMS_COREFILE_TEMPLATE_PATH",
        default_text="not set: kuma-dp has its own",
        doc="A file with the template of the Corefile for the DNS server of proxies.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapServerSettings:
    """The first configuration of a proxy."""

    params: BootstrapParamsSettings = field(default_factory=BootstrapParamsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Proxies that are builtin gateways."""

    global_downstream_max_connections: int = option(
        forms.whole_number(0, GATEWAY_CONNECTIONS_MAX),
        default=50_000,
        environment="KUMA_PROXY_GATEWAY_GLOBAL_DOWNSTREAM_MAX_CONNECTIONS",
        doc="How many connections of clients a builtin gateway takes at once. 0 is the default.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What proxies may use."""

    gateway: GatewaySettings = field(default_factory=GatewaySettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class XdsServerSettings:
    """How the configuration of proxies is kept up to date."""

    full_pass_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(minutes=5),
        environment="KMESH_XDS_FULL_PASS_INTERVAL",
        doc="How often the configuration of every proxy is made from scratch and compared with "
        "what it has, a few at a time. It should find nothing; what it finds is sent, logged and "
        "counted.",
    )
    dataplane_status_flush_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=10),
        environment="KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL",
        doc="How often what is known of the connection of a proxy is written to its "
        "DataplaneInsight, when it changed. The begin and the end of it are written at once.",
    )
    dataplane_deregistration_delay: timedelta = option(
        forms.DELAY,
        default=timedelta(seconds=10),
        environment="KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY",
        doc="How long a proxy may be away before the Dataplane that it brought is deleted, if it "
        "has not come to another control plane meanwhile.",
    )
    nack_backoff: timedelta = option(
        forms.DELAY,
        default=timedelta(seconds=5),
        environment="KUMA_XDS_SERVER_NACK_BACKOFF",
        doc="How long a proxy that has refused a configuration is left alone before it is sent "
        "another one of the same kind.",
    )
    delta: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KMESH_XDS_DELTA",
        doc="Whether proxies that start are told to ask for what changed (delta) rather than for "
        "the state of the world. Both are served at any time.",
    )
