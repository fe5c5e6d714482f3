"""For every setting and every set of layers: the highest layer wins and is named as the origin."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import tomli_w
from hypothesis import assume, given
from hypothesis import strategies as st

from kong_mesh_cp.settings.effective import effective
from kong_mesh_cp.settings.loading import Loaded, load
from kong_mesh_cp.settings.model import rows, value_at
from kong_mesh_cp.settings.names import nearest_path, nearest_variable
from kong_mesh_cp.settings.options import Row
from kong_mesh_cp.settings.writing import in_force
from support.specs.configurations import NO_FILE

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
ADDRESSES = st.ip_addresses().map(str)
PATHS = st.from_regex(
    r"(\.?/)?[a-zA-Z0-9_.-]{1,20}/([a-zA-Z0-9_. -]{0,10}[a-zA-Z0-9_.-]/){0,3}[a-z]{1,9}",
    fullmatch=True,
)
BOOLEANS = st.booleans()
TIMES = st.builds("{}{}".format, st.integers(1, 10_000), st.sampled_from(["ms", "s", "m", "h"]))

# The servers keep to ports of their own and off the defaults, so that no example is about a conflict.
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "environment": st.just("universal"),
    "mode": st.just("zone"),
    "store.type": st.sampled_from(["sqlite", "postgres", "memory"]),
    "general.workDir": PATHS,
    "apiServer.http.enabled": BOOLEANS,
    "apiServer.http.interface": ADDRESSES,
    "apiServer.http.port": st.integers(6_000, 30_000),
    "apiServer.https.enabled": BOOLEANS,
    "apiServer.https.interface": ADDRESSES,
    "apiServer.https.port": st.integers(1_000, 5_000),
    "apiServer.https.tlsCaFile": PATHS,
    "access.type": st.sampled_from(["static", "rbac"]),
    "access.rbac.skipAdminRoleCreation": BOOLEANS,
    "apiServer.auth.clientCertsDir": PATHS,
    "apiServer.authn.localhostIsAdmin": BOOLEANS,
    "apiServer.authn.tokens.enableIssuer": BOOLEANS,
    "apiServer.authn.tokens.bootstrapAdminToken": BOOLEANS,
    "apiServer.basePath": st.sampled_from(["/", "/mesh", "/a/b.c"]),
    "apiServer.gui.enabled": BOOLEANS,
    "apiServer.gui.basePath": st.sampled_from(["/gui", "/console"]),
    "apiServer.gui.rootUrl": st.sampled_from(["https://mesh.example.com/gui", "/east/gui"]),
    "admission.limits.connections": st.integers(16, 16_384),
    "admission.limits.connectionsPerUser": st.integers(1, 16_384),
    "apiServer.limits.connections": st.integers(16, 16_384),
    "apiServer.limits.connectionsPerAddress": st.integers(1, 16_384),
    "apiServer.limits.unreadAnswersMebibytes": st.integers(16, 16_384),
    "apiServer.readOnly": BOOLEANS,
    "apiServer.refuseUnknownMembers": BOOLEANS,
    "defaults.createMeshRoutingResources": BOOLEANS,
    "defaults.skipHostnameGenerators": BOOLEANS,
    "defaults.skipMeshCreation": BOOLEANS,
    "defaults.skipTenantResources": BOOLEANS,
    "diagnostics.interface": ADDRESSES,
    "diagnostics.serverPort": st.integers(30_001, 65_535),
    "dnsServer.CIDR": st.sampled_from(["240.0.0.0/4", "10.9.0.0/16", "fd00:1::/64"]),
    "dnsServer.domain": LABELS,
    "dnsServer.serviceVipEnabled": BOOLEANS,
    "dnsServer.serviceVipPort": st.integers(1, 65_535),
    "general.tlsMaxVersion": st.just("TLSv1_3"),
    "general.tlsMinVersion": st.sampled_from(["TLSv1_2", "TLSv1_3"]),
    "monitoringAssignmentServer.assignmentRefreshInterval": TIMES,
    "monitoringAssignmentServer.defaultFetchTimeout": TIMES,
    "monitoringAssignmentServer.interface": ADDRESSES,
    "monitoringAssignmentServer.port": st.integers(5_100, 5_600),
    "monitoringAssignmentServer.tlsEnabled": BOOLEANS,
    "monitoringAssignmentServer.tlsMaxVersion": st.just("TLSv1_3"),
    "monitoringAssignmentServer.tlsMinVersion": st.sampled_from(["TLSv1_2", "TLSv1_3"]),
    "metrics.dataplane.idleTimeout": TIMES,
    "metrics.dataplane.subscriptionLimit": st.integers(1, 1_000),
    "metrics.mesh.fullResyncInterval": TIMES,
    "metrics.mesh.minResyncInterval": TIMES,
    "metrics.zone.idleTimeout": TIMES,
    "multizone.zone.disableOriginLabelValidation": BOOLEANS,
    "bootstrapServer.params.adminAccessLogPath": PATHS,
    "bootstrapServer.params.adminAddress": ADDRESSES,
    "bootstrapServer.params.adminPort": st.integers(0, 65_535),
    "bootstrapServer.params.corefileTemplatePath": PATHS,
    "bootstrapServer.params.xdsConnectTimeout": TIMES,
    "bootstrapServer.params.xdsHost": LABELS,
    "bootstrapServer.params.xdsPort": st.integers(0, 65_535),
    "dpServer.authn.dpProxy.dpToken.enableIssuer": BOOLEANS,
    "dpServer.authn.dpProxy.type": st.sampled_from(["dpToken", "none"]),
    "dpServer.authn.enableReloadableTokens": BOOLEANS,
    "dpServer.authn.zoneProxy.type": st.sampled_from(["zoneToken", "none"]),
    "dpServer.hds.checkDefaults.healthyThreshold": st.integers(1, 100),
    "dpServer.hds.checkDefaults.interval": TIMES,
    "dpServer.hds.checkDefaults.noTrafficInterval": TIMES,
    "dpServer.hds.checkDefaults.timeout": TIMES,
    "dpServer.hds.checkDefaults.unhealthyThreshold": st.integers(1, 100),
    "dpServer.hds.enabled": BOOLEANS,
    "dpServer.hds.interval": TIMES,
    "dpServer.hds.refreshInterval": TIMES,
    "dpServer.interface": ADDRESSES,
    "dpServer.limits.connections": st.integers(16, 16_384),
    "dpServer.limits.connectionsPerAddress": st.integers(1, 16_384),
    "dpServer.port": st.integers(20_001, 30_000),
    "dpServer.readHeaderTimeout": TIMES,
    "dpServer.tlsMaxVersion": st.just("TLSv1_3"),
    "dpServer.tlsMinVersion": st.sampled_from(["TLSv1_2", "TLSv1_3"]),
    "dpServer.authn.zoneProxy.zoneToken.enableIssuer": BOOLEANS,
    "multizone.global.kds.grpcPort": st.integers(5_601, 5_999),
    "multizone.global.kds.interface": ADDRESSES,
    "multizone.global.kds.tlsEnabled": BOOLEANS,
    "multizone.global.kds.zoneInsightFlushInterval": TIMES,
    "multizone.global.kds.tlsMaxVersion": st.just("TLSv1_3"),
    "multizone.global.kds.tlsMinVersion": st.sampled_from(["TLSv1_2", "TLSv1_3"]),
    "multizone.zone.globalAddress": st.builds("grpcs://{}:5685".format, LABELS),
    "multizone.zone.kds.rootCaFile": PATHS,
    "multizone.zone.kds.tlsSkipVerify": BOOLEANS,
    "general.resilientComponentBaseBackoff": TIMES,
    "general.resilientComponentMaxBackoff": TIMES,
    "coreResources.status.meshServiceInterval": TIMES,
    "ipam.meshExternalService.cidr": st.just("242.1.0.0/16"),
    "ipam.meshMultiZoneService.cidr": st.just("fd00:3::/64"),
    "ipam.meshService.cidr": st.just("241.1.0.0/16"),
    "meshService.deletionGracePeriod": TIMES,
    "multizone.zone.name": LABELS,
    "proxy.gateway.globalDownstreamMaxConnections": st.integers(0, 100_000),
    "runtime.universal.dataplaneCleanupAge": TIMES,
    "runtime.universal.vipRefreshInterval": TIMES,
    "xdsServer.dataplaneDeregistrationDelay": TIMES,
    "xdsServer.dataplaneStatusFlushInterval": TIMES,
    "xdsServer.delta": BOOLEANS,
    "xdsServer.fullPassInterval": TIMES,
    "xdsServer.nackBackoff": TIMES,
    "runtime.universal.zoneResourceCleanupAge": TIMES,
    "license.inline": st.text(min_size=1).filter(lambda text: "\0" not in text),
    "license.path": PATHS,
    "admission.socket": PATHS,
    "store.unsafeDelete": BOOLEANS,
    "store.postgres.host": LABELS,
    "store.postgres.port": st.integers(1, 65_535),
    "store.postgres.user": LABELS,
    "store.postgres.password": st.text(min_size=1).filter(lambda text: "\0" not in text),
    "store.postgres.dbName": LABELS,
    "store.postgres.connectionTimeout": st.integers(2, 60),
    "store.postgres.maxOpenConnections": st.integers(2, 1000),
    "store.postgres.waitSeconds": st.integers(0, 75),
    "store.quota.items": st.integers(0, 1_000_000),
    "store.quota.bytes": st.integers(0, 8 * 1024**3),
    "log.level": st.sampled_from(["off", "debug", "info", "warning", "error"]),
}
LISTS = {
    "experimental.ingressTagFilters",
    "admission.meshQuotas",
    "admission.rules",
    "apiServer.corsAllowedDomains",
    "dpServer.tlsCipherSuites",
    "general.tlsCipherSuites",
    "ipam.knownInternalCIDRs",
    "monitoringAssignmentServer.apiVersions",
    "monitoringAssignmentServer.tlsCipherSuites",
    "multizone.global.kds.labels.skipPrefixes",
    "multizone.global.kds.tlsCipherSuites",
    "multizone.zone.kds.labels.skipPrefixes",
} | {
    row.path for row in rows() if row.path.startswith("access.") and isinstance(row.default, tuple)
}
FILE_ONLY = {row.path for row in rows() if row.option.environment is None} - LISTS
TOGETHER = {  # one of them alone is refused, or with another one
    "apiServer.authn.tokens.validator.useSecrets",
    "dpServer.authn.dpProxy.dpToken.validator.useSecrets",
    "dpServer.authn.zoneProxy.zoneToken.validator.useSecrets",
    "apiServer.authn.type",
    "apiServer.https.requireClientCert",
    "apiServer.https.tlsCertFile",
    "apiServer.https.tlsKeyFile",
    "dpServer.tlsCertFile",
    "dpServer.tlsKeyFile",
    "general.tlsCertFile",
    "general.tlsKeyFile",
    "monitoringAssignmentServer.tlsCertFile",
    "monitoringAssignmentServer.tlsKeyFile",
    "multizone.global.kds.tlsCertFile",
    "multizone.global.kds.tlsKeyFile",
    "store.postgres.passwordFile",
    "store.postgres.tls.caPath",
    "store.postgres.tls.certPath",
    "store.postgres.tls.keyPath",
    "store.postgres.tls.mode",
}
SETTABLE = [row for row in rows() if row.path in VALUES]
NAMES = {name for row in rows() for name in (row.path, row.option.environment)}
SOME = st.fixed_dictionaries({}, optional=dict(VALUES))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _tree(values: Mapping[str, object]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for path, value in values.items():
        *sections, key = path.split(".")
        table = tree
        for section in sections:
            below = table.setdefault(section, {})
            assert isinstance(below, dict)
            table = below
        table[key] = value
    return tree


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environ(values: Mapping[str, object]) -> dict[str, str]:
    by_path = {row.path: row.option.environment for row in SETTABLE}
    return {str(by_path[path]): _text(value) for path, value in values.items()}


def _load(file: Path | None, environ: Mapping[str, str], level: str | None = None) -> Loaded:
    return load(
        arguments={"--config-file": str(file) if file else None, "--log-level": level},
        environ={"HOME": "/root", **environ},
        default_file=NO_FILE,
    )


def _toml(folder: Path, values: Mapping[str, object]) -> Path:
    file = folder / "layers.toml"
    file.write_text(tomli_w.dumps(_tree(values)), encoding="utf-8")
    file.chmod(0o600)  # it may hold secrets
    return file


def test_every_setting_that_is_not_a_list_and_stands_alone_takes_part() -> None:
    assert {row.path for row in rows()} - set(VALUES) == LISTS | FILE_ONLY | TOGETHER


@given(in_file=SOME, in_environment=SOME, level=st.none() | VALUES["log.level"])
def test_the_highest_layer_wins_and_is_named(
    folder: Path, in_file: dict[str, object], in_environment: dict[str, object], level: str | None
) -> None:
    file = _toml(folder, in_file)
    found = _load(file, _environ(in_environment), level)
    alone = _load(None, _environ({**in_file, **in_environment}), level)
    assert found.settings == alone.settings
    codes = [[line.partition(":")[0] for line in one.warnings] for one in (found, alone)]
    assert codes[0] == codes[1]
    for row in SETTABLE:
        assert found.origins[row.path] == _expected_origin(
            row, file, in_file, in_environment, level
        )


def _expected_origin(
    row: Row,
    file: Path,
    in_file: Mapping[str, object],
    in_environment: Mapping[str, object],
    level: str | None,
) -> str:
    if row.path == "log.level" and level is not None:
        return "flag --log-level"
    if row.path in in_environment:
        return f"environment {row.option.environment}"
    if row.path in in_file:
        return f"file:{file}:{row.path}"
    return "environment HOME" if row.path == "general.workDir" else "default"


@given(values=SOME)
def test_a_setting_means_the_same_in_toml_yaml_and_environment(
    folder: Path, values: dict[str, object]
) -> None:
    # JSON is YAML, as far as this reader is concerned.
    kuma = folder / "layers.yaml"
    kuma.write_text(json.dumps(_tree(values)), encoding="utf-8")
    by_environment = _load(None, _environ(values)).settings
    assert _load(_toml(folder, values), {}).settings == by_environment
    assert _load(kuma, {}).settings == by_environment


@given(values=SOME)
def test_what_is_shown_loads_as_what_is_in_force(folder: Path, values: dict[str, object]) -> None:
    values.pop("license.inline", None)
    values.pop("license.path", None)
    values.pop("store.postgres.password", None)
    found = _load(None, _environ(values))
    shown = folder / "shown.toml"
    shown.write_text(in_force(found.settings, found.origins), encoding="utf-8")
    again = _load(shown, {})
    assert again.settings == found.settings
    assert effective(again.settings) == effective(found.settings)


@given(value=VALUES["license.inline"])
def test_an_inline_license_is_handed_over_as_it_was_written(folder: Path, value: str) -> None:
    found = _load(_toml(folder, {"license.inline": value}), {"KMESH_LICENSE_INLINE": value})
    assert found.license_texts.inline == found.license_texts.config_inline == value
    inline = value_at(found.settings, ("license", "inline"))
    assert repr(inline) == str(inline) == "*****"


@given(data=st.data(), row=st.sampled_from([row for row in SETTABLE if len(row.path) > 12]))
def test_one_wrong_letter_is_guessed_right(data: st.DataObject, row: Row) -> None:
    variable = row.option.environment
    assert variable is not None
    for name, guess in ((row.path, nearest_path), (variable, nearest_variable)):
        at = data.draw(st.integers(len(name) // 2, len(name) - 1))
        slip = name[:at] + name[at + 1 :]
        assume(slip not in NAMES)  # https less one letter is no slip but http
        assert guess(slip) == name
