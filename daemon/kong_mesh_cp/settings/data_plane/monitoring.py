"""Settings of the server that Prometheus asks which proxies it is to scrape."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.forms import Form, must_be
from kong_mesh_cp.settings.options import option

VERSION: Final = "v1"  # the only one there is


def _versions(value: object) -> tuple[str, ...]:
    found = lists.words(value, VERSIONS.expected)
    if set(found) != {VERSION}:
        raise must_be(VERSIONS.expected)
    return found


VERSIONS: Final = Form(f"a list of {VERSION} and nothing else", _versions, words=(VERSION,))


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringAssignmentServerSettings:
    """The server that Prometheus asks which proxies it is to scrape."""

    interface: str = option(
        forms.INTERFACE,
        default="0.0.0.0",  # noqa: S104 (Kuma's default)
        environment="KMESH_MONITORING_ASSIGNMENT_SERVER_INTERFACE",
        doc="The address on which the server for Prometheus listens. Whoever reaches it learns the "
        "names, addresses and tags of all proxies that are scraped.",
    )
    port: int = option(
        forms.PORT,
        default=5676,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_PORT",
        doc="The TCP port of the server that Prometheus asks which proxies it is to scrape. 0 takes"
        " any free port and logs it.",
    )
    api_versions: tuple[str, ...] = option(
        VERSIONS,
        default=(VERSION,),
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_API_VERSIONS",
        doc="Which versions of its API the server has. Only v1.",
    )
    assignment_refresh_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=1),
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_ASSIGNMENT_REFRESH_INTERVAL",
        doc="How long changes are left alone between two times that it is worked out which proxies "
        "are scraped.",
    )
    default_fetch_timeout: timedelta = option(
        forms.DELAY,
        default=timedelta(seconds=30),
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_DEFAULT_FETCH_TIMEOUT",
        doc="How long a client that knows all waits for news, where it does not say that itself; "
        "at most 5m.",
    )
    tls_enabled: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_ENABLED",
        doc="Whether the server for Prometheus speaks TLS, and nothing else.",
    )
    tls_cert_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_CERT_FILE",
        default_text="not set: general.tlsCertFile",
        doc="The certificate of the server for Prometheus, with its chain. A PEM file.",
    )
    tls_key_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_KEY_FILE",
        default_text="not set: general.tlsKeyFile",
        doc="The key of monitoringAssignmentServer.tlsCertFile. A PEM file without a password.",
    )
    tls_min_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_MIN_VERSION",
        default_text="not set: general.tlsMinVersion",
        doc="The oldest version of TLS that Prometheus may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_max_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_MAX_VERSION",
        default_text="not set: general.tlsMaxVersion",
        doc="The newest version of TLS that Prometheus may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_cipher_suites: tuple[str, ...] = option(
        lists.CIPHER_SUITES,
        default=(),
        environment="KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_CIPHER_SUITES",
        default_text="not set: general.tlsCipherSuites",
        doc="The cipher suites of TLS 1.2 that Prometheus may use, by the IANA registry's names.",
    )
