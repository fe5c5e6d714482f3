"""Every setting of the control plane: one row each, in the tree that files and `/config` show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import get_type_hints

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.access import AccessSettings
from kong_mesh_cp.settings.admission_rules import MESH_QUOTAS, RULES
from kong_mesh_cp.settings.data_plane.dns_server import DnsServerSettings
from kong_mesh_cp.settings.data_plane.dp_server import DpServerSettings
from kong_mesh_cp.settings.data_plane.envoy import (
    BootstrapServerSettings,
    ProxySettings,
    XdsServerSettings,
)
from kong_mesh_cp.settings.data_plane.ipam import IpamSettings
from kong_mesh_cp.settings.data_plane.monitoring import MonitoringAssignmentServerSettings
from kong_mesh_cp.settings.data_plane.zone_proxies import ExperimentalSettings
from kong_mesh_cp.settings.forms import Secret, UnsupportedError
from kong_mesh_cp.settings.multizone.zones import MultizoneSettings
from kong_mesh_cp.settings.options import MEMBERS, OPTION, Row, option
from kong_mesh_cp.settings.serving import CONNECTIONS_MAX, ApiServerSettings, GeneralSettings
from kong_mesh_cp.settings.store import StoreSettings
from kong_mesh_cp.settings.upkeep import (
    CoreResourcesSettings,
    MeshServiceSettings,
    MetricsSettings,
    RuntimeSettings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticsSettings:
    """The listener for health checks and metrics."""

    interface: str = option(
        forms.INTERFACE,
        default="0.0.0.0",  # noqa: S104 (as Kuma, which has no such setting)
        environment="KMESH_DIAGNOSTICS_INTERFACE",
        doc="The address on which the diagnostics server listens (/healthy, /ready, /metrics).",
    )
    server_port: int = option(
        forms.PORT,
        default=5680,
        environment="KUMA_DIAGNOSTICS_SERVER_PORT",
        doc="The TCP port of the diagnostics server. 0 takes any free port and logs it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsSettings:
    """What a first start makes, and what it leaves out."""

    skip_mesh_creation: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_DEFAULTS_SKIP_MESH_CREATION",
        doc="Whether a start makes no mesh default when there is none.",
    )
    skip_hostname_generators: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_DEFAULTS_SKIP_HOSTNAME_GENERATORS",
        doc="Whether a start makes no HostnameGenerators for the services of this zone.",
    )
    skip_tenant_resources: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_DEFAULTS_SKIP_TENANT_RESOURCES",
        doc="Whether a start makes none of the resources that it makes otherwise.",
    )
    create_mesh_routing_resources: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_DEFAULTS_CREATE_MESH_ROUTING_RESOURCES",
        doc="Whether a new mesh also gets a TrafficPermission and a TrafficRoute for all services.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseSettings:
    """For showing. What the license readers need, with losers, is `Loaded.license_texts`."""

    inline: Secret | None = option(
        forms.SECRET,
        default=None,
        environment="KMESH_LICENSE_INLINE",
        secret=True,
        default_text="not set",
        doc="The license document itself, as JSON text. The daemon removes the variable from its "
        "environment once it has read it.",
    )
    path: str | None = option(
        forms.LICENSE_PATH,
        default=None,
        environment="KMESH_LICENSE_PATH",
        in_repr=False,  # may hold the license itself, by mistake
        default_text="not set",
        doc="The file that holds the license document. A change of the file is noticed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimitsSettings:
    """What all processes on the socket may have together. Each seat is a connection."""

    connections: int = option(
        forms.whole_number(16, CONNECTIONS_MAX),
        default=4096,
        environment="KMESH_ADMISSION_LIMITS_CONNECTIONS",
        doc="How many connections the admission socket has at once, held seats included; three "
        "quarters of them for users with one primary group. When all are in use, those that have "
        "been idle longest are closed in favour of new ones, and seats never are.",
    )
    connections_per_user: int = option(
        forms.whole_number(1, CONNECTIONS_MAX),
        default=2048,
        environment="KMESH_ADMISSION_LIMITS_CONNECTIONS_PER_USER",
        doc="How many of them one user has, and how many requests at once before it is slowed "
        "down to 100 a second. All proxies of a machine may run as one user; root has no such "
        "bound.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """The socket on which processes of this machine ask for seats."""

    socket: Path = option(
        forms.SOCKET_PATH,
        default=Path("/run/kong-mesh-cp/admission.sock"),
        environment="KMESH_ADMISSION_SOCKET",
        doc="The Unix socket on which local processes ask for a seat. A socket handed over by "
        "systemd wins over this path.",
    )
    mesh_quotas: tuple[str, ...] = option(
        MESH_QUOTAS,
        default=(),
        environment="KMESH_ADMISSION_MESH_QUOTAS",
        default_text="no quotas: one mesh may take all that the license allows",
        doc="How many data plane proxies a mesh may have, of those that the license counts: "
        "payments=50,shop=20,*=10, where * is every mesh that is not named, and unlimited is no "
        "quota. One more is refused, whatever the license says.",
    )
    rules: tuple[Rule, ...] = option(
        RULES,
        default=(),
        default_text="no rules: whoever may open the socket may join as any name",
        doc="Who may join as what: tables of selectors (unit, user, group, uid, gid) and what they "
        "allow (mesh, name) or add (tags). With any rule, what no rule allows is refused.",
    )
    limits: AdmissionLimitsSettings = field(default_factory=AdmissionLimitsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the daemon logs, and how."""

    level: str = option(
        forms.one_of("off", "debug", "info", "warning", "error"),
        default="info",
        environment="KMESH_LOG_LEVEL",
        flag="--log-level",
        doc="How much is logged: off, debug, info, warning or error.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set, checked. Only `general` has no fixed default."""

    environment: str = option(
        forms.one_of(
            "universal",
            unsupported={
                "kubernetes": UnsupportedError(
                    "the environment kubernetes is not one of this product, which runs on plain "
                    "Linux machines",
                    remedy="Remove the setting or set it to universal.",
                )
            },
        ),
        default="universal",
        environment="KUMA_ENVIRONMENT",
        doc="What the control plane runs on. Only universal: plain Linux machines.",
    )
    mode: str = option(
        forms.one_of("zone", "global", deprecated={"standalone": "zone"}),
        default="zone",
        environment="KUMA_MODE",
        doc="The part this control plane plays: zone (standalone is its old name), where proxies "
        "join; or global, which keeps resources for zones, whose control planes connect to it.",
    )
    store: StoreSettings = field(default_factory=StoreSettings)
    general: GeneralSettings
    api_server: ApiServerSettings = field(default_factory=ApiServerSettings)
    dp_server: DpServerSettings = field(default_factory=DpServerSettings)
    bootstrap_server: BootstrapServerSettings = field(default_factory=BootstrapServerSettings)
    xds_server: XdsServerSettings = field(default_factory=XdsServerSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    dns_server: DnsServerSettings = field(default_factory=DnsServerSettings)
    ipam: IpamSettings = field(default_factory=IpamSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    diagnostics: DiagnosticsSettings = field(default_factory=DiagnosticsSettings)
    multizone: MultizoneSettings = field(default_factory=MultizoneSettings)
    defaults: DefaultsSettings = field(default_factory=DefaultsSettings)
    monitoring_assignment_server: MonitoringAssignmentServerSettings = field(
        default_factory=MonitoringAssignmentServerSettings
    )
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)
    core_resources: CoreResourcesSettings = field(default_factory=CoreResourcesSettings)
    mesh_service: MeshServiceSettings = field(default_factory=MeshServiceSettings)
    experimental: ExperimentalSettings = field(default_factory=ExperimentalSettings)
    license: LicenseSettings = field(default_factory=LicenseSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def is_federated(self) -> bool:
        """This control plane is that of a zone which has a global one."""
        return self.mode == "zone" and bool(self.multizone.zone.global_address)


@cache
def rows() -> tuple[Row, ...]:
    """Every setting, in the order of the tree."""
    return tuple(_rows_of(Settings, ()))


def _rows_of(section: type, above: tuple[str, ...]) -> Iterator[Row]:
    hints = get_type_hints(section)
    for one in fields(section):
        attributes = (*above, one.name)
        if OPTION in one.metadata:
            default = None if one.default is MISSING else one.default
            yield Row(attributes, default, one.metadata[OPTION])
        elif MEMBERS in one.metadata:
            for member, row in one.metadata[MEMBERS].items():
                yield Row((*attributes, member), getattr(one.default, member), row)
        elif is_dataclass(hints[one.name]):
            yield from _rows_of(hints[one.name], attributes)


def value_at(settings: object, attributes: tuple[str, ...]) -> object:
    for name in attributes:
        settings = getattr(settings, name)
    return settings
