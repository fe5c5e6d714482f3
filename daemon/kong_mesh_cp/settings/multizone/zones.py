"""Settings of a zone, and of its connection to the global control plane."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.multizone.global_kds import GlobalSettings
from kong_mesh_cp.settings.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneKdsLabelsSettings:
    """Labels on their way to the global control plane."""

    skip_prefixes: tuple[str, ...] = option(
        lists.NAMES,
        default=(),
        default_text="none: all are sent",
        environment="KUMA_MULTIZONE_ZONE_KDS_LABELS_SKIP_PREFIXES",
        doc="Labels that begin so are not sent to the global control plane.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneKdsSettings:
    """The connection of a zone to its global control plane."""

    root_ca_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE",
        default_text="not set: the authorities of the system",
        doc="The authorities, in a PEM file, of which the certificate of the global control plane "
        "has to be.",
    )
    tls_skip_verify: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY",
        doc="Whether any certificate of the global control plane is believed. Whoever is on the "
        "way can then take its place: only for trials.",
    )
    labels: ZoneKdsLabelsSettings = field(default_factory=ZoneKdsLabelsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSettings:
    """The zone that this control plane is for."""

    name: str = option(
        forms.ZONE_NAME,
        default="default",
        environment="KUMA_MULTIZONE_ZONE_NAME",
        doc="The name of this zone. It is part of every proxy's identity.",
    )
    global_address: str | None = option(
        forms.ADDRESS,
        default=None,
        environment="KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS",
        default_text="not set",
        doc="The global control plane that this zone belongs to: grpcs://HOST:PORT, or "
        "grpc://HOST:PORT without TLS. Resources are then written by the rules of such a zone.",
    )
    disable_origin_label_validation: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_MULTIZONE_ZONE_DISABLE_ORIGIN_LABEL_VALIDATION",
        doc="Whether policies may be written on a zone of a global control plane without the label "
        "kuma.io/origin: zone.",
    )
    kds: ZoneKdsSettings = field(default_factory=ZoneKdsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultizoneSettings:
    """The part of this control plane in a deployment of several zones."""

    global_: GlobalSettings = field(default_factory=GlobalSettings)
    zone: ZoneSettings = field(default_factory=ZoneSettings)
