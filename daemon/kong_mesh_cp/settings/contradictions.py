"""Checks across settings: pairs that contradict each other though each is valid."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.formats.tls_names import VERSIONS
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.problems import Problem
from kong_mesh_cp.settings.store import TLS_MODES_WITH_AUTHORITY, PostgresSettings

_GLOBAL: Final = re.compile(r"grpcs?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}/?")


def contradictions(settings: Settings) -> Iterator[Problem]:
    yield from _ports(settings)
    yield from _console(settings)
    yield from _tls(settings)
    if settings.store.type == "postgres":
        yield from _postgres(settings.store.postgres)
    yield from _authentication(settings)
    yield from _access(settings)
    yield from _global_address(settings)


def _global_address(settings: Settings) -> Iterator[Problem]:
    address = settings.multizone.zone.global_address
    if settings.mode == "zone" and address is not None and not _GLOBAL.fullmatch(address):
        yield Problem(
            "config-global-address",
            "multizone.zone.globalAddress is no address of a global control plane",
            "Write it as grpcs://HOST:PORT, or grpc://HOST:PORT where it serves without TLS.",
        )


def remarks(settings: Settings) -> Iterator[Problem]:
    """What is usable, and does less than its author may expect."""
    address = settings.multizone.zone.global_address
    if settings.mode == "global":
        if not settings.multizone.global_.kds.tls_enabled:
            yield Problem(
                "zones-in-plain-text",
                "multizone.global.kds.tlsEnabled is false: whoever is on the way between zones and"
                " this control plane reads the secrets of all meshes, and can change what is told",
                "Remove the setting, unless something else protects the way.",
            )
        if address is not None:
            yield Problem(
                "config-unused",
                "multizone.zone.globalAddress means nothing where mode is global",
                "Remove it, or set mode to zone.",
            )
    elif address is not None and settings.multizone.zone.kds.tls_skip_verify:
        yield Problem(
            "global-not-verified",
            "multizone.zone.kds.tlsSkipVerify is true: whoever is on the way to the global control"
            " plane can take its place",
            "Name its authority in multizone.zone.kds.rootCaFile, and remove the setting.",
        )


def _ports(settings: Settings) -> Iterator[Problem]:
    http, https = settings.api_server.http, settings.api_server.https
    diagnostics, proxies = settings.diagnostics, settings.dp_server
    servers = [("diagnostics.serverPort", diagnostics.interface, diagnostics.server_port)]
    if settings.mode != "global":
        servers.append(("dpServer.port", proxies.interface, proxies.port))
        monitoring = settings.monitoring_assignment_server
        servers.append(("monitoringAssignmentServer.port", monitoring.interface, monitoring.port))
    else:
        zones = settings.multizone.global_.kds
        servers.append(("multizone.global.kds.grpcPort", zones.interface, zones.grpc_port))
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


def _console(settings: Settings) -> Iterator[Problem]:
    gui, base_path = settings.api_server.gui, settings.api_server.base_path
    if gui.enabled and f"{base_path}/".startswith(f"{gui.base_path}/"):
        yield Problem(
            "config-console-path",
            "apiServer.basePath lies in the console's path: nobody could reach the API",
            "Set apiServer.gui.basePath to a path that does not begin apiServer.basePath.",
        )


def _overlap(*interfaces: str) -> bool:
    one, other = (ipaddress.ip_address(interface) for interface in interfaces)
    return one == other or one.is_unspecified or other.is_unspecified


def _tls(settings: Settings) -> Iterator[Problem]:
    general, https = settings.general, settings.api_server.https
    yield from _half("general", general.tls_cert_file, general.tls_key_file)
    yield from _half("apiServer.https", https.tls_cert_file, https.tls_key_file)
    proxies = settings.dp_server
    yield from _half("dpServer", proxies.tls_cert_file, proxies.tls_key_file)
    monitoring = settings.monitoring_assignment_server
    yield from _half(
        "monitoringAssignmentServer", monitoring.tls_cert_file, monitoring.tls_key_file
    )
    zones = settings.multizone.global_.kds
    yield from _half("multizone.global.kds", zones.tls_cert_file, zones.tls_key_file)
    if https.require_client_cert and not _knows_clients(settings):
        yield Problem(
            "config-tls-incomplete",
            "apiServer.https.requireClientCert is true, but no authority is named",
            "Name a file with their authorities in apiServer.https.tlsCaFile, or a folder in "
            "apiServer.auth.clientCertsDir.",
        )
    for section, earliest, latest in (
        ("general", general.tls_min_version, general.tls_max_version),
        ("dpServer", proxies.tls_min_version, proxies.tls_max_version),
        (
            "monitoringAssignmentServer",
            monitoring.tls_min_version,
            monitoring.tls_max_version,
        ),
        ("multizone.global.kds", zones.tls_min_version, zones.tls_max_version),
    ):
        if earliest and latest and VERSIONS.index(latest) < VERSIONS.index(earliest):
            yield Problem(
                "config-tls-versions",
                f"{section}.tlsMaxVersion is {latest}, older than {section}.tlsMinVersion",
                "Remove one of the two.",
            )


def _postgres(postgres: PostgresSettings) -> Iterator[Problem]:
    """A connection that is less protected than it seems is worse than none."""
    tls, section = postgres.tls, "store.postgres.tls"
    yield from _half(section, tls.cert_path, tls.key_path, names=("certPath", "keyPath"))
    if tls.mode in TLS_MODES_WITH_AUTHORITY and tls.ca_path is None:
        yield Problem(
            "config-tls-incomplete",
            f"{section}.mode is {tls.mode}, but no authority is named",
            f"Name a file with the authority of the server in {section}.caPath.",
        )
    given = tls.ca_path or tls.cert_path or tls.key_path
    if tls.mode == "disable" and given is not None:
        yield Problem(
            "config-tls-unused",
            f"{section}.mode is disable, but files for TLS are named",
            f"Set {section}.mode to verifyFull, or remove the files.",
        )
    if postgres.password is not None and postgres.password_file is not None:
        yield Problem(
            "config-password-twice",
            "store.postgres.password and store.postgres.passwordFile are both set",
            "Remove one of the two.",
        )


def _half(
    section: str,
    certificate: Path | None,
    key: Path | None,
    names: tuple[str, str] = ("tlsCertFile", "tlsKeyFile"),
) -> Iterator[Problem]:
    if (certificate is None) != (key is None):
        given, missing = names if certificate else reversed(names)
        yield Problem(
            "config-tls-incomplete",
            f"{section}.{given} is set and {section}.{missing} is not",
            "Set both, or none.",
        )


def _knows_clients(settings: Settings) -> bool:
    api = settings.api_server
    return api.https.tls_ca_file is not None or api.auth.client_certs_dir is not None


def _authentication(settings: Settings) -> Iterator[Problem]:
    api, proxies = settings.api_server, settings.dp_server.authn
    by_certificate = api.authn.type == "adminClientCerts"
    if by_certificate and not (api.https.enabled and _knows_clients(settings)):
        yield Problem(
            "config-authn-certificates",
            "apiServer.authn.type is adminClientCerts, but nobody is asked for a certificate",
            "Leave apiServer.https on, and name the clients' authorities in "
            "apiServer.https.tlsCaFile or apiServer.auth.clientCertsDir.",
        )
    for section, tokens in (
        ("apiServer.authn.tokens", api.authn.tokens),
        ("dpServer.authn.dpProxy.dpToken", proxies.dp_proxy.dp_token),
        ("dpServer.authn.zoneProxy.zoneToken", proxies.zone_proxy.zone_token),
    ):
        if tokens.validator.use_secrets:
            continue
        if tokens.enable_issuer:
            yield Problem(
                "config-tokens-void",
                f"{section}.validator.useSecrets is false, so no token that is issued here counts",
                f"Set {section}.enableIssuer to false, too.",
            )
        elif not tokens.validator.public_keys:
            yield Problem(
                "config-tokens-void",
                f"{section}.validator.useSecrets is false and publicKeys is empty: no token counts",
                f"Put the issuer's keys into {section}.validator.publicKeys.",
            )


def _access(settings: Settings) -> Iterator[Problem]:
    access = settings.access
    rbac = access.rbac
    if access.type != "rbac" or rbac.skip_admin_role_creation:
        return
    if not rbac.default_admin_role_groups and not rbac.default_admin_role_users:
        yield Problem(
            "config-access-nobody",
            "access.rbac.defaultAdminRoleGroups and defaultAdminRoleUsers are empty: nobody would "
            "have the role that the first start makes",
            "Name somebody, or set access.rbac.skipAdminRoleCreation.",
        )
