"""Settings of upkeep: how often insights are computed, when absent proxies are removed."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.options import option

SUBSCRIPTIONS_MAX = 1_000  # each makes the insight of every proxy longer


@dataclass(frozen=True, slots=True, kw_only=True)
class DataplaneMetricsSettings:
    """How the connections of proxies are recorded."""

    idle_timeout: timedelta = option(
        forms.DURATION,
        default=timedelta(minutes=5),
        environment="KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT",
        doc="After how long the connection of a proxy is closed in the store when its control "
        "plane gives no sign of life. Such a control plane has died, or has lost the store.",
    )
    subscription_limit: int = option(
        forms.whole_number(1, SUBSCRIPTIONS_MAX),
        default=2,
        environment="KUMA_METRICS_DATAPLANE_SUBSCRIPTION_LIMIT",
        doc="How many connections of a proxy are remembered in its DataplaneInsight: the newest.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneMetricsSettings:
    """How the connections of zones are recorded."""

    idle_timeout: timedelta = option(
        forms.DURATION,
        default=timedelta(minutes=5),
        environment="KUMA_METRICS_ZONE_IDLE_TIMEOUT",
        doc="As metrics.dataplane.idleTimeout, for connections of zones.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMetricsSettings:
    """How often the insights of meshes are computed."""

    min_resync_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=1),
        environment="KUMA_METRICS_MESH_MIN_RESYNC_INTERVAL",
        doc="How long a mesh is left alone between two counts of its proxies and services "
        "(MeshInsight, ServiceInsight).",
    )
    full_resync_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=20),
        environment="KUMA_METRICS_MESH_FULL_RESYNC_INTERVAL",
        doc="How often all meshes are looked through for changes that were not noticed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """What the control plane records of proxies, zones and meshes."""

    dataplane: DataplaneMetricsSettings = field(default_factory=DataplaneMetricsSettings)
    zone: ZoneMetricsSettings = field(default_factory=ZoneMetricsSettings)
    mesh: MeshMetricsSettings = field(default_factory=MeshMetricsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshServiceSettings:
    """MeshServices that the control plane makes by itself."""

    deletion_grace_period: timedelta = option(
        forms.DURATION,
        default=timedelta(hours=1),
        environment="KUMA_MESH_SERVICE_DELETION_GRACE_PERIOD",
        doc="How long a MeshService that was made by the control plane stays when no proxy offers "
        "it any more.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatusSettings:
    """How often the status of services is written."""

    mesh_service_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=5),
        environment="KUMA_CORE_RESOURCES_STATUS_MESH_SERVICE_INTERVAL",
        doc="How long it is at least between two writes of a MeshService of which nothing changes "
        "but the numbers of its proxies. The first one, and anything else, is written at once.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreResourcesSettings:
    """Services by a name of their own."""

    status: ServiceStatusSettings = field(default_factory=ServiceStatusSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalSettings:
    """What the control plane does by itself about proxies and their names."""

    dataplane_cleanup_age: timedelta = option(
        forms.DURATION,
        default=timedelta(hours=72),
        environment="KUMA_RUNTIME_UNIVERSAL_DATAPLANE_CLEANUP_AGE",
        doc="How long a data plane proxy may be away before its Dataplane is deleted.",
    )
    zone_resource_cleanup_age: timedelta = option(
        forms.DURATION,
        default=timedelta(hours=72),
        environment="KUMA_RUNTIME_UNIVERSAL_ZONE_RESOURCE_CLEANUP_AGE",
        doc="How long a zone ingress or egress may be away before it is deleted.",
    )
    vip_refresh_interval: timedelta = option(
        forms.DURATION,
        default=timedelta(milliseconds=500),
        environment="KUMA_RUNTIME_UNIVERSAL_VIP_REFRESH_INTERVAL",
        doc="How long it is at least between two times that new names get virtual addresses. The "
        "first one gets its own at once.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """What depends on where the mesh runs."""

    universal: UniversalSettings = field(default_factory=UniversalSettings)
