"""The server that proxies connect to: its port and certificate, who is let in, health checks."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.forms import UnsupportedError
from kong_mesh_cp.settings.options import option
from kong_mesh_cp.settings.serving import CONNECTIONS_MAX
from kong_mesh_cp.settings.token_authentication import DpTokenSettings, ZoneTokenSettings

CHECKS_MAX: Final = 100  # in a row, until a service counts as healthy, or as none


def _service_account_token(instead: str) -> UnsupportedError:
    return UnsupportedError(
        "serviceAccountToken is for proxies on Kubernetes, which this product does not run on",
        remedy=f"Remove the setting or set it to {instead}.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DpProxyAuthnSettings:
    """How data plane proxies prove who they are."""

    type: str = option(
        forms.one_of(
            "dpToken",
            "none",
            unsupported={"serviceAccountToken": _service_account_token("dpToken")},
        ),
        default="dpToken",
        environment="KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE",
        doc="What proves who a data plane proxy is: dpToken, a token of kumactl generate "
        "dataplane-token; or none, where whoever reaches the port joins under any name.",
    )
    dp_token: DpTokenSettings = field(default_factory=DpTokenSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneProxyAuthnSettings:
    """How zone proxies prove who they are."""

    type: str = option(
        forms.one_of(
            "zoneToken",
            "none",
            unsupported={"serviceAccountToken": _service_account_token("zoneToken")},
        ),
        default="zoneToken",
        environment="KUMA_DP_SERVER_AUTHN_ZONE_PROXY_TYPE",
        doc="As dpServer.authn.dpProxy.type, for zone ingresses and egresses: zoneToken, a token "
        "of kumactl generate zone-token; or none.",
    )
    zone_token: ZoneTokenSettings = field(default_factory=ZoneTokenSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DpServerAuthnSettings:
    """How proxies of both kinds prove who they are."""

    enable_reloadable_tokens: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_DP_SERVER_AUTHN_ENABLE_RELOADABLE_TOKENS",
        doc="Whether Envoy reads the token from its file again for each connection, with Google's "
        "gRPC client, so that a new token needs no restart of the proxy.",
    )
    dp_proxy: DpProxyAuthnSettings = field(default_factory=DpProxyAuthnSettings)
    zone_proxy: ZoneProxyAuthnSettings = field(default_factory=ZoneProxyAuthnSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class HdsCheckSettings:
    """How Envoy checks a service whose Dataplane does not say it."""

    timeout: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=2),
        environment="KUMA_DP_SERVER_HDS_CHECK_TIMEOUT",
        doc="How long a check of a service may take.",
    )
    interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=1),
        environment="KUMA_DP_SERVER_HDS_CHECK_INTERVAL",
        doc="The time between two checks of a service.",
    )
    no_traffic_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=1),
        environment="KUMA_DP_SERVER_HDS_CHECK_NO_TRAFFIC_INTERVAL",
        doc="The time between two checks of a service that has had no traffic yet.",
    )
    healthy_threshold: int = option(
        forms.whole_number(1, CHECKS_MAX),
        default=1,
        environment="KUMA_DP_SERVER_HDS_CHECK_HEALTHY_THRESHOLD",
        doc="How many checks in a row have to succeed until a service counts as healthy.",
    )
    unhealthy_threshold: int = option(
        forms.whole_number(1, CHECKS_MAX),
        default=1,
        environment="KUMA_DP_SERVER_HDS_CHECK_UNHEALTHY_THRESHOLD",
        doc="How many checks in a row have to fail until a service counts as unhealthy.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HdsSettings:
    """Health of services as their proxies see it (Envoy's health discovery service)."""

    enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DP_SERVER_HDS_ENABLED",
        doc="Whether proxies check their services and report it. Otherwise an inbound with a "
        "serviceProbe never becomes ready.",
    )
    interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=5),
        environment="KUMA_DP_SERVER_HDS_INTERVAL",
        doc="How often a proxy reports the health of its services.",
    )
    refresh_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=10),
        environment="KUMA_DP_SERVER_HDS_REFRESH_INTERVAL",
        doc="How often it is looked whether a proxy has other checks to make than it was told.",
    )
    check_defaults: HdsCheckSettings = field(default_factory=HdsCheckSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DpServerLimitsSettings:
    """What all proxies together may cost. Kuma has no such settings."""

    connections: int = option(
        forms.whole_number(16, CONNECTIONS_MAX),
        default=4096,
        environment="KMESH_DP_SERVER_LIMITS_CONNECTIONS",
        doc="How many connections the server has at once: one for each proxy, and one while it "
        "starts. When all are in use, those that have been idle longest are closed in favour of "
        "new ones.",
    )
    connections_per_address: int = option(
        forms.whole_number(1, CONNECTIONS_MAX),
        default=1024,
        environment="KMESH_DP_SERVER_LIMITS_CONNECTIONS_PER_ADDRESS",
        doc="How many of them one address has, or one network of IPv6 (64 bits): all proxies of a "
        "machine, or behind a translator of addresses. The loopback addresses have no such bound.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DpServerSettings:
    """The server that proxies connect to."""

    interface: str = option(
        forms.INTERFACE,
        # All of them: Envoy takes localhost for ::1 where the machine has that, and asks no other.
        default="::",
        environment="KMESH_DP_SERVER_INTERFACE",
        doc="The address on which the server for proxies listens. :: also takes IPv4, and does so "
        "where there is no IPv6.",
    )
    port: int = option(
        forms.PORT,
        default=5678,
        environment="KUMA_DP_SERVER_PORT",
        doc="The TCP port of the server for proxies, always with TLS. 0 takes any free port and "
        "logs it.",
    )
    tls_cert_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_DP_SERVER_TLS_CERT_FILE",
        default_text="not set: general.tlsCertFile",
        doc="The certificate of the server for proxies, with its chain. A PEM file.",
    )
    tls_key_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_DP_SERVER_TLS_KEY_FILE",
        default_text="not set: general.tlsKeyFile",
        doc="The key of dpServer.tlsCertFile. A PEM file without a password.",
    )
    tls_min_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_DP_SERVER_TLS_MIN_VERSION",
        default_text="not set: general.tlsMinVersion",
        doc="The oldest version of TLS that proxies may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_max_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_DP_SERVER_TLS_MAX_VERSION",
        default_text="not set: general.tlsMaxVersion",
        doc="The newest version of TLS that proxies may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_cipher_suites: tuple[str, ...] = option(
        lists.CIPHER_SUITES,
        default=(),
        environment="KUMA_DP_SERVER_TLS_CIPHER_SUITES",
        default_text="not set: general.tlsCipherSuites",
        doc="The cipher suites of TLS 1.2 that proxies may use, by the IANA registry's names.",
    )
    read_header_timeout: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=5),
        environment="KUMA_DP_SERVER_READ_HEADER_TIMEOUT",
        doc="How long a client may take to send the head of a request.",
    )
    authn: DpServerAuthnSettings = field(default_factory=DpServerAuthnSettings)
    hds: HdsSettings = field(default_factory=HdsSettings)
    limits: DpServerLimitsSettings = field(default_factory=DpServerLimitsSettings)
