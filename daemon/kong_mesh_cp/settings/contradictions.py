"""What is wrong between settings that are right one by one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from kong_mesh_cp.core.wire.tls_names import VERSIONS
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.problems import Problem


def contradictions(settings: Settings) -> Iterator[Problem]:
    yield from _ports(settings)
    yield from _tls(settings)


def remarks(settings: Settings) -> Iterator[Problem]:
    """What is usable, and does less than whoever set it may expect."""
    address = settings.multizone.zone.global_address
    if settings.mode == "global":
        yield Problem(
            "zones-cannot-connect",
            "mode is global, but this version does not speak with zones (KDS, port 5685): what is"
            " written here stays here, and no data plane proxy can join",
            "Apply it to the control plane of each zone, too, without multizone.zone.globalAddress"
            " there.",
        )
        if address is not None:
            yield Problem(
                "config-unused",
                "multizone.zone.globalAddress means nothing where mode is global",
                "Remove it, or set mode to zone.",
            )
    elif address is not None:
        yield Problem(
            "global-not-connected",
            "multizone.zone.globalAddress is set, but this version does not connect to a global"
            " control plane (KDS): no mesh and no policy arrives from there, and none can be"
            " written here that would",
            "Remove multizone.zone.globalAddress, and write them here.",
        )


def _ports(settings: Settings) -> Iterator[Problem]:
    http, https, diagnostics = (
        settings.api_server.http,
        settings.api_server.https,
        settings.diagnostics,
    )
    servers = [("diagnostics.serverPort", diagnostics.interface, diagnostics.server_port)]
    if https.enabled:
        servers.insert(0, ("apiServer.https.port", https.interface, https.port))
    if http.enabled:
        servers.insert(0, ("apiServer.http.port", http.interface, http.port))
    for (one, interface, port), (other, other_interface, other_port) in combinations(servers, 2):
        if port == other_port != 0 and _overlap(interface, other_interface):
            yield Problem(
                "config-port-conflict",
                f"{one} and {other} are both {port}",
                "Give one of the two servers another port.",
            )


def _overlap(*interfaces: str) -> bool:
    one, other = (ipaddress.ip_address(interface) for interface in interfaces)
    return one == other or one.is_unspecified or other.is_unspecified


def _tls(settings: Settings) -> Iterator[Problem]:
    general, https = settings.general, settings.api_server.https
    yield from _half("general", general.tls_cert_file, general.tls_key_file)
    yield from _half("apiServer.https", https.tls_cert_file, https.tls_key_file)
    if https.require_client_cert and https.tls_ca_file is None:
        yield Problem(
            "config-tls-incomplete",
            "apiServer.https.requireClientCert is true, but no authority is named",
            "Name a file with their authorities in apiServer.https.tlsCaFile.",
        )
    latest = general.tls_max_version
    if latest and VERSIONS.index(latest) < VERSIONS.index(general.tls_min_version):
        yield Problem(
            "config-tls-versions",
            f"general.tlsMaxVersion is {latest}, older than general.tlsMinVersion",
            "Remove one of the two.",
        )


def _half(section: str, certificate: Path | None, key: Path | None) -> Iterator[Problem]:
    if (certificate is None) != (key is None):
        given, missing = (
            ("tlsCertFile", "tlsKeyFile") if certificate else ("tlsKeyFile", "tlsCertFile")
        )
        yield Problem(
            "config-tls-incomplete",
            f"{section}.{given} is set and {section}.{missing} is not",
            "Set both, or none.",
        )
