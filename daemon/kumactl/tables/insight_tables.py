"""The columns of `inspect`: who is online, how often configurations were sent, which versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kumactl.json_value import JsonObject, at, count_at, object_at, objects_at, text_at, texts_at
from kumactl.tables.columns import ago, local_date, render_table
from kumactl.tables.resource_tables import dataplane_tags

ONLINE: Final = "Online"
OFFLINE: Final = "Offline"
PARTLY: Final = "Partially degraded"

_COUNTED: Final = (
    ("TRAFFIC PERMISSIONS", "TrafficPermission"),
    ("TRAFFIC ROUTES", "TrafficRoute"),
    ("CIRCUIT BREAKERS", "CircuitBreaker"),
    ("HEALTH CHECKS", "HealthCheck"),
    ("FAULT INJECTIONS", "FaultInjection"),
    ("EXTERNAL SERVICES", "ExternalService"),
    ("TRAFFIC TRACES", "TrafficTrace"),
    ("TRAFFIC LOGS", "TrafficLog"),
    ("PROXY TEMPLATES", "ProxyTemplate"),
    ("RATE LIMITS", "RateLimit"),
)
_UPDATES: Final = ("LAST CONNECTED AGO", "LAST UPDATED AGO", "TOTAL UPDATES", "TOTAL ERRORS")


def meshes_table(items: Iterable[JsonObject]) -> str:
    """Of MeshInsights."""
    rows = [
        [
            text_at(item, "name"),
            _online_of(item),
            *(str(count_at(item, "policies", name, "total")) for _, name in _COUNTED),
        ]
        for item in items
    ]
    return render_table(("MESH", "DATAPLANES", *(header for header, _ in _COUNTED)), rows)


def services_table(items: Iterable[JsonObject]) -> str:
    """Of ServiceInsights."""
    rows = [
        [text_at(item, "name"), _service_status(text_at(item, "status")), _online_of(item)]
        for item in items
    ]
    return render_table(("SERVICE", "STATUS", "DATAPLANES"), rows)


def dataplanes_table(items: Iterable[JsonObject], now: datetime) -> str:
    """Of DataplaneOverviews."""
    headers = (
        *("MESH", "NAME", "TAGS", "STATUS", *_UPDATES),
        *("CERT REGENERATED AGO", "CERT EXPIRATION", "CERT REGENERATIONS", "CERT BACKEND"),
        *("SUPPORTED CERT BACKENDS", "KUMA-DP VERSION", "ENVOY VERSION"),
        *("DEPENDENCIES VERSIONS", "NOTES"),
    )
    return render_table(headers, [_dataplane(item, now) for item in items])


def zone_proxies_table(items: Iterable[JsonObject], insight: str, now: datetime) -> str:
    """Of ZoneIngressOverviews or ZoneEgressOverviews; `insight` is the member that holds it."""
    headers = ("NAME", "STATUS", *_UPDATES, "KUMA-DP VERSION", "ENVOY VERSION")
    rows = []
    for item in items:
        found = object_at(item, insight)
        status = ONLINE if is_online(found) else OFFLINE
        version = object_at(_last(found), "version")
        versions = [text_at(version, part, "version") for part in ("kumaDp", "envoy")]
        rows.append([text_at(item, "name"), status, *_updates(found, now), *versions])
    return render_table(headers, rows)


def zones_table(items: Iterable[JsonObject], now: datetime) -> str:
    """Of ZoneOverviews."""
    rows = []
    for item in items:
        insight = object_at(item, "zoneInsight")
        enabled = at(item, "zone", "enabled") is not False
        status = ONLINE if enabled and is_online(insight) else OFFLINE
        last = _last(insight)
        version = text_at(last, "version", "kumaCp", "version")
        backend = _store_type(text_at(last, "config"))
        rows.append([text_at(item, "name"), status, *_updates(insight, now), version, backend])
    return render_table(("NAME", "STATUS", *_UPDATES, "ZONE-CP VERSION", "BACKEND"), rows)


def is_online(insight: JsonObject) -> bool:
    """Some subscription has begun and not ended."""
    return any(
        text_at(each, "connectTime") and not text_at(each, "disconnectTime")
        for each in objects_at(insight, "subscriptions")
    )


def dataplane_status(overview: JsonObject) -> tuple[str, list[str]]:
    """Its status, and a note for every inbound that is not ready."""
    networking = object_at(overview, "dataplane", "networking")
    online = is_online(object_at(overview, "dataplaneInsight"))
    inbounds = [] if at(networking, "gateway") is not None else objects_at(networking, "inbound")
    notes = [
        f"inbound[port={count_at(inbound, 'port')},"
        f"svc={text_at(inbound, 'tags', 'kuma.io/service')}] is not ready"
        for inbound in inbounds
        if not _ready(inbound)
    ]
    if not online or (inbounds and len(notes) == len(inbounds)):
        return OFFLINE, notes
    return (PARTLY if notes else ONLINE), notes


def _ready(inbound: JsonObject) -> bool:
    state = at(inbound, "state")
    # The message `health` with its only field at its default is an empty object: not ready.
    health = at(inbound, "health")
    unhealthy = health is not None and at(health, "ready") is not True
    return state not in {"NotReady", 1} and not unhealthy


def _dataplane(item: JsonObject, now: datetime) -> list[str]:
    insight = object_at(item, "dataplaneInsight")
    status, notes = dataplane_status(item)
    version = object_at(_last(insight), "version")
    dependencies = object_at(version, "dependencies")
    shown = [f"{name}: {text_at(dependencies, name)}" for name in sorted(dependencies)]
    return [
        text_at(item, "mesh"),
        text_at(item, "name"),
        dataplane_tags(object_at(item, "dataplane")),
        status,
        *_updates(insight, now),
        *_certificate(insight, now),
        text_at(version, "kumaDp", "version"),
        text_at(version, "envoy", "version"),
        ", ".join(shown) or "-",
        ";".join(notes),
    ]


def _certificate(insight: JsonObject, now: datetime) -> list[str]:
    mtls = object_at(insight, "mTLS")
    backend = text_at(mtls, "issuedBackend") or ("unknown" if mtls else "-")
    return [
        ago(text_at(mtls, "lastCertificateRegeneration"), now),
        local_date(text_at(mtls, "certificateExpirationTime")),
        str(count_at(mtls, "certificateRegenerations")),
        backend,
        ",".join(texts_at(mtls, "supportedBackends")),
    ]


def _updates(insight: JsonObject, now: datetime) -> list[str]:
    last = _last(insight)
    totals = [object_at(each, "status", "total") for each in objects_at(insight, "subscriptions")]
    return [
        ago(text_at(last, "connectTime"), now),
        ago(text_at(last, "status", "lastUpdateTime"), now),
        str(sum(count_at(total, "responsesSent") for total in totals)),
        str(sum(count_at(total, "responsesRejected") for total in totals)),
    ]


def _last(insight: JsonObject) -> JsonObject:
    subscriptions = objects_at(insight, "subscriptions")
    return subscriptions[-1] if subscriptions else {}


def _online_of(insight: JsonObject) -> str:
    online = count_at(insight, "dataplanes", "online")
    return f"{online}/{count_at(insight, 'dataplanes', 'total')}"


def _service_status(status: str) -> str:
    words = status.replace("_", " ")
    return words[:1].upper() + words[1:]


def _store_type(config: str) -> str:
    try:
        return text_at(parse(config.encode()), "store", "type") if config else ""
    except (StrictJsonError, UnicodeEncodeError):
        return "unknown"
