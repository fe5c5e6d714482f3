"""Settings of a global control plane: the server for its zones."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class KdsLabelsSettings:
    """Labels on their way between control planes."""

    skip_prefixes: tuple[str, ...] = option(
        lists.NAMES,
        default=(),
        default_text="none: all are sent",
        environment="KUMA_MULTIZONE_GLOBAL_KDS_LABELS_SKIP_PREFIXES",
        doc="Labels that begin so are not sent to zones.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalKdsSettings:
    """The server that control planes of zones connect to, where this one is global."""

    interface: str = option(
        forms.INTERFACE,
        default="0.0.0.0",  # noqa: S104 (as Kuma, which has no such setting)
        environment="KMESH_MULTIZONE_GLOBAL_KDS_INTERFACE",
        doc="The address on which the server for zones listens.",
    )
    grpc_port: int = option(
        forms.PORT,
        default=5685,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT",
        doc="The TCP port of the server for zones (KDS). 0 takes any free port and logs it.",
    )
    zone_insight_flush_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=10),
        environment="KUMA_MULTIZONE_GLOBAL_KDS_ZONE_INSIGHT_FLUSH_INTERVAL",
        doc="How often what was sent to a connected zone, and its sign of life, is recorded in its "
        "ZoneInsight. That it has come or gone is recorded at once.",
    )
    tls_enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_ENABLED",
        doc="Whether the server for zones speaks TLS. Without it whoever is on the way reads all "
        "secrets of all meshes: only where something else protects it.",
    )
    tls_cert_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_CERT_FILE",
        default_text="not set: general.tlsCertFile",
        doc="The certificate of the server for zones, with its chain. A PEM file.",
    )
    tls_key_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_KEY_FILE",
        default_text="not set: general.tlsKeyFile",
        doc="The key of multizone.global.kds.tlsCertFile. A PEM file without a password.",
    )
    tls_min_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_MIN_VERSION",
        default_text="not set: general.tlsMinVersion",
        doc="The oldest version of TLS that zones may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_max_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_MAX_VERSION",
        default_text="not set: general.tlsMaxVersion",
        doc="The newest version of TLS that zones may speak: TLSv1_2 or TLSv1_3.",
    )
    tls_cipher_suites: tuple[str, ...] = option(
        lists.CIPHER_SUITES,
        default=(),
        environment="KUMA_MULTIZONE_GLOBAL_KDS_TLS_CIPHER_SUITES",
        default_text="not set: general.tlsCipherSuites",
        doc="The cipher suites of TLS 1.2 that zones may use, by the IANA registry's names.",
    )
    labels: KdsLabelsSettings = field(default_factory=KdsLabelsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalSettings:
    """This control plane where it is the global one."""

    kds: GlobalKdsSettings = field(default_factory=GlobalKdsSettings)
