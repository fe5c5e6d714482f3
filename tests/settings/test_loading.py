"""The order of the layers, where each value came from, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.settings.loading import load
from kong_mesh_cp.settings.model import rows, value_at
from kong_mesh_cp.settings.problems import SettingsRejectedError
from kong_mesh_cp.settings.store import PostgresTlsSettings
from support.specs.configurations import NO_FILE, kuma_yaml, loaded, problems, toml

PORT = "apiServer.http.port"
GRANTS = {row.path for row in rows() if row.path.startswith("access.static.")}
EVERY_VARIABLE = {
    "KUMA_ENVIRONMENT": "universal",
    "KUMA_MODE": "zone",
    "KUMA_STORE_TYPE": "memory",
    "KUMA_GENERAL_WORK_DIR": "/srv/mesh",
    "KUMA_API_SERVER_HTTP_ENABLED": "F",
    "KUMA_API_SERVER_HTTP_INTERFACE": "::1",
    "KUMA_API_SERVER_HTTP_PORT": "0",
    "KUMA_API_SERVER_HTTPS_ENABLED": "true",
    "KUMA_API_SERVER_HTTPS_INTERFACE": "127.0.0.1",
    "KUMA_API_SERVER_HTTPS_PORT": "7443",
    "KUMA_API_SERVER_HTTPS_TLS_CERT_FILE": "/etc/kong-mesh/api.crt",
    "KUMA_API_SERVER_HTTPS_TLS_KEY_FILE": "/etc/kong-mesh/api.key",
    "KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE": "/etc/kong-mesh/ca.crt",
    "KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT": "true",
    **{str(row.option.environment): "somebody" for row in rows() if row.path in GRANTS},
    "KUMA_ACCESS_TYPE": "rbac",
    "KMESH_ACCESS_RBAC_LOG_ACTIONS": "denied",
    "KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS": "mesh-system:admin",
    "KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_USERS": "alice, bob",
    "KMESH_ACCESS_RBAC_SKIP_ADMIN_ROLE_CREATION": "true",
    "KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR": "/etc/kong-mesh/clients",
    "KUMA_API_SERVER_AUTHN_TYPE": "adminClientCerts",
    "KUMA_API_SERVER_AUTHN_TOKENS_ENABLE_ISSUER": "false",
    "KUMA_API_SERVER_AUTHN_TOKENS_VALIDATOR_USE_SECRETS": "true",
    "KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_ENABLE_ISSUER": "false",
    "KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_VALIDATOR_USE_SECRETS": "true",
    "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_ENABLE_ISSUER": "false",
    "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_VALIDATOR_USE_SECRETS": "true",
    "KMESH_DP_SERVER_INTERFACE": "127.0.0.1",
    "KMESH_DP_SERVER_LIMITS_CONNECTIONS": "3000",
    "KMESH_DP_SERVER_LIMITS_CONNECTIONS_PER_ADDRESS": "2000",
    "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE": "none",
    "KUMA_DP_SERVER_AUTHN_ENABLE_RELOADABLE_TOKENS": "true",
    "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_TYPE": "none",
    "KUMA_DP_SERVER_HDS_CHECK_HEALTHY_THRESHOLD": "2",
    "KUMA_DP_SERVER_HDS_CHECK_INTERVAL": "3s",
    "KUMA_DP_SERVER_HDS_CHECK_NO_TRAFFIC_INTERVAL": "4s",
    "KUMA_DP_SERVER_HDS_CHECK_TIMEOUT": "5s",
    "KUMA_DP_SERVER_HDS_CHECK_UNHEALTHY_THRESHOLD": "3",
    "KUMA_DP_SERVER_HDS_ENABLED": "false",
    "KUMA_DP_SERVER_HDS_INTERVAL": "6s",
    "KUMA_DP_SERVER_HDS_REFRESH_INTERVAL": "7s",
    "KUMA_DP_SERVER_PORT": "5778",
    "KUMA_DP_SERVER_READ_HEADER_TIMEOUT": "8s",
    "KUMA_API_SERVER_GUI_BASE_PATH": "/console",
    "KUMA_API_SERVER_GUI_ENABLED": "true",
    "KUMA_API_SERVER_GUI_ROOT_URL": "https://mesh.example/console",
    "KUMA_EXPERIMENTAL_INGRESS_TAG_FILTERS": "kuma.io/",
    "KUMA_GENERAL_RESILIENT_COMPONENT_BASE_BACKOFF": "2s",
    "KUMA_GENERAL_RESILIENT_COMPONENT_MAX_BACKOFF": "20s",
    "KMESH_MULTIZONE_GLOBAL_KDS_INTERFACE": "::1",
    "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": "5785",
    "KUMA_MULTIZONE_GLOBAL_KDS_LABELS_SKIP_PREFIXES": "own.example/",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_CERT_FILE": "/etc/kong-mesh/kds.crt",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_CIPHER_SUITES": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_ENABLED": "true",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_KEY_FILE": "/etc/kong-mesh/kds.key",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_MAX_VERSION": "TLSv1_3",
    "KUMA_MULTIZONE_GLOBAL_KDS_TLS_MIN_VERSION": "TLSv1_2",
    "KUMA_MULTIZONE_GLOBAL_KDS_ZONE_INSIGHT_FLUSH_INTERVAL": "11s",
    "KUMA_MULTIZONE_ZONE_KDS_LABELS_SKIP_PREFIXES": "own.example/",
    "KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": "/etc/kong-mesh/global.crt",
    "KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY": "false",
    "KUMA_DP_SERVER_TLS_CERT_FILE": "/etc/kong-mesh/dp.crt",
    "KUMA_DP_SERVER_TLS_CIPHER_SUITES": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "KUMA_DP_SERVER_TLS_KEY_FILE": "/etc/kong-mesh/dp.key",
    "KUMA_DP_SERVER_TLS_MAX_VERSION": "TLSv1_3",
    "KUMA_DP_SERVER_TLS_MIN_VERSION": "TLSv1_2",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ACCESS_LOG_PATH": "/var/log/envoy-admin.log",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_ADDRESS": "::1",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_ADMIN_PORT": "9902",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_COREFILE_TEMPLATE_PATH": "/etc/kong-mesh/Corefile",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_CONNECT_TIMEOUT": "9s",
    "KUMA_PROXY_GATEWAY_GLOBAL_DOWNSTREAM_MAX_CONNECTIONS": "777",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST": "cp.example",
    "KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_PORT": "443",
    "KMESH_XDS_DELTA": "true",
    "KMESH_XDS_FULL_PASS_INTERVAL": "10m",
    "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "0s",
    "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "3s",
    "KUMA_XDS_SERVER_NACK_BACKOFF": "1s",
    "KUMA_API_SERVER_CORS_ALLOWED_DOMAINS": r"https://a\.example,https://b\.example",
    "KUMA_API_SERVER_BASE_PATH": "/mesh",
    "KUMA_API_SERVER_READ_ONLY": "true",
    "KMESH_ADMISSION_LIMITS_CONNECTIONS": "5000",
    "KMESH_ADMISSION_LIMITS_CONNECTIONS_PER_USER": "3000",
    "KMESH_API_SERVER_LIMITS_CONNECTIONS": "2000",
    "KMESH_API_SERVER_REFUSE_UNKNOWN_MEMBERS": "true",
    "KMESH_API_SERVER_LIMITS_CONNECTIONS_PER_ADDRESS": "500",
    "KMESH_API_SERVER_LIMITS_UNREAD_ANSWERS_MEBIBYTES": "128",
    "KUMA_DEFAULTS_CREATE_MESH_ROUTING_RESOURCES": "true",
    "KUMA_DEFAULTS_SKIP_HOSTNAME_GENERATORS": "true",
    "KUMA_DEFAULTS_SKIP_MESH_CREATION": "true",
    "KUMA_DEFAULTS_SKIP_TENANT_RESOURCES": "true",
    "KUMA_DNS_SERVER_CIDR": "10.9.0.0/16",
    "KUMA_DNS_SERVER_DOMAIN": "internal",
    "KUMA_DNS_SERVER_SERVICE_VIP_ENABLED": "false",
    "KUMA_DNS_SERVER_SERVICE_VIP_PORT": "8080",
    "KUMA_GENERAL_TLS_CERT_FILE": "/etc/kong-mesh/tls.crt",
    "KUMA_GENERAL_TLS_KEY_FILE": "/etc/kong-mesh/tls.key",
    "KUMA_GENERAL_TLS_MIN_VERSION": "TLSv1_2",
    "KUMA_GENERAL_TLS_MAX_VERSION": "TLSv1_3",
    "KUMA_GENERAL_TLS_CIPHER_SUITES": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "KUMA_CORE_RESOURCES_STATUS_MESH_SERVICE_INTERVAL": "10s",
    "KUMA_IPAM_MESH_EXTERNAL_SERVICE_CIDR": "242.1.0.0/16",
    "KUMA_IPAM_MESH_MULTI_ZONE_SERVICE_CIDR": "fd00:3::/64",
    "KUMA_IPAM_MESH_SERVICE_CIDR": "241.1.0.0/16",
    "KUMA_MESH_SERVICE_DELETION_GRACE_PERIOD": "2h",
    "KUMA_IPAM_KNOWN_INTERNAL_CIDRS": "10.1.0.0/16,fd00:1::/64",
    "KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT": "1m",
    "KUMA_METRICS_DATAPLANE_SUBSCRIPTION_LIMIT": "3",
    "KUMA_METRICS_MESH_FULL_RESYNC_INTERVAL": "30s",
    "KUMA_METRICS_MESH_MIN_RESYNC_INTERVAL": "500ms",
    "KUMA_METRICS_ZONE_IDLE_TIMEOUT": "2m",
    "KUMA_RUNTIME_UNIVERSAL_DATAPLANE_CLEANUP_AGE": "1h",
    "KUMA_RUNTIME_UNIVERSAL_VIP_REFRESH_INTERVAL": "1s",
    "KUMA_RUNTIME_UNIVERSAL_ZONE_RESOURCE_CLEANUP_AGE": "2h",
    "KUMA_MULTIZONE_ZONE_DISABLE_ORIGIN_LABEL_VALIDATION": "true",
    "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": "grpcs://global:5685",
    "KUMA_STORE_UNSAFE_DELETE": "true",
    "KUMA_STORE_POSTGRES_HOST": "db.example",
    "KUMA_STORE_POSTGRES_PORT": "5432",
    "KUMA_STORE_POSTGRES_USER": "mesh",
    "KUMA_STORE_POSTGRES_PASSWORD": "not-a-secret",
    "KMESH_STORE_POSTGRES_PASSWORD_FILE": "/etc/kong-mesh/postgres-password",
    "KUMA_STORE_POSTGRES_DB_NAME": "mesh",
    "KUMA_STORE_POSTGRES_CONNECTION_TIMEOUT": "7",
    "KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS": "50",
    "KMESH_STORE_POSTGRES_WAIT_SECONDS": "0",
    "KMESH_STORE_QUOTA_BYTES": "1000",
    "KMESH_STORE_QUOTA_ITEMS": "10",
    "KUMA_STORE_POSTGRES_TLS_MODE": "verifyFull",
    "KUMA_STORE_POSTGRES_TLS_CERT_PATH": "/etc/kong-mesh/db.crt",
    "KUMA_STORE_POSTGRES_TLS_KEY_PATH": "/etc/kong-mesh/db.key",
    "KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH": "/etc/kong-mesh/db-ca.crt",
    "KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN": "false",
    "KUMA_API_SERVER_AUTHN_TOKENS_BOOTSTRAP_ADMIN_TOKEN": "false",
    "KMESH_DIAGNOSTICS_INTERFACE": "127.0.0.1",
    "KUMA_DIAGNOSTICS_SERVER_PORT": "65535",
    "KMESH_MONITORING_ASSIGNMENT_SERVER_INTERFACE": "127.0.0.1",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_API_VERSIONS": "v1",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_ASSIGNMENT_REFRESH_INTERVAL": "2s",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_DEFAULT_FETCH_TIMEOUT": "10s",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": "5776",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_CERT_FILE": "/etc/kong-mesh/mads.crt",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_CIPHER_SUITES": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_ENABLED": "true",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_KEY_FILE": "/etc/kong-mesh/mads.key",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_MAX_VERSION": "TLSv1_3",
    "KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_MIN_VERSION": "TLSv1_2",
    "KUMA_MULTIZONE_ZONE_NAME": "east-1",
    "KMESH_LICENSE_INLINE": "{}",
    "KMESH_LICENSE_PATH": "/etc/kong-mesh/license.json",
    "KMESH_ADMISSION_SOCKET": "run/admission.sock",
    "KMESH_ADMISSION_MESH_QUOTAS": "payments=50,*=10",
    "KMESH_LOG_LEVEL": "off",
}


def test_without_anything_the_defaults_hold() -> None:
    found = loaded()
    assert found.settings.api_server.http.port == 5681
    assert found.settings.api_server.http.interface == "0.0.0.0"
    assert found.settings.diagnostics.server_port == 5680
    assert found.settings.store.type == "sqlite"
    assert found.settings.mode == "zone"
    assert found.settings.admission.socket == Path("/run/kong-mesh-cp/admission.sock")
    assert found.settings.admission.rules == ()
    assert found.warnings == ()
    assert found.file is None


def test_every_value_has_an_origin() -> None:
    assert set(loaded().origins) == {row.path for row in rows()}


def test_a_file_wins_over_the_defaults(tmp_path: Path) -> None:
    file = toml(tmp_path, "[apiServer.http]\nport = 7001\n")
    found = loaded(file)
    assert found.settings.api_server.http.port == 7001
    assert found.origins[PORT] == f"file:{file}:{PORT}"
    assert found.origins["apiServer.http.interface"] == "default"
    assert found.file == file


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "[apiServer.http]\nport = 7001\n")
    found = loaded(file, {"KUMA_API_SERVER_HTTP_PORT": "7002"})
    assert found.settings.api_server.http.port == 7002
    assert found.origins[PORT] == "environment KUMA_API_SERVER_HTTP_PORT"


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    file = toml(tmp_path, '[log]\nlevel = "error"\n')
    found = loaded(file, {"KMESH_LOG_LEVEL": "warning"}, log_level="debug")
    assert found.settings.log.level == "debug"
    assert found.origins["log.level"] == "flag --log-level"


@pytest.mark.parametrize(
    "variable", [row.option.environment for row in rows() if row.option.environment]
)
def test_an_empty_variable_counts_as_not_set(variable: str) -> None:
    assert loaded(environ={variable: ""}).settings == loaded().settings


def test_an_empty_text_in_a_file_counts_as_not_set(tmp_path: Path) -> None:
    file = toml(tmp_path, '[general]\nworkDir = ""\n[license]\npath = ""\n')
    assert loaded(file).settings == loaded().settings


def test_every_variable_reaches_its_setting() -> None:
    found = loaded(environ=EVERY_VARIABLE)
    assert set(EVERY_VARIABLE) == {
        row.option.environment for row in rows() if row.option.environment
    }
    for row in rows():
        if row.option.environment:
            assert found.origins[row.path] == f"environment {row.option.environment}"
    settings = found.settings
    assert settings.store.type == "memory"
    postgres = settings.store.postgres
    assert (postgres.host, postgres.port, postgres.user) == ("db.example", 5432, "mesh")
    assert postgres.password is not None
    assert postgres.password.reveal() == "not-a-secret"
    assert postgres.password_file == Path("/etc/kong-mesh/postgres-password")
    assert (postgres.db_name, postgres.connection_timeout) == ("mesh", 7)
    assert (postgres.max_open_connections, postgres.wait_seconds) == (50, 0)
    assert postgres.tls == PostgresTlsSettings(
        mode="verifyFull",
        cert_path=Path("/etc/kong-mesh/db.crt"),
        key_path=Path("/etc/kong-mesh/db.key"),
        ca_path=Path("/etc/kong-mesh/db-ca.crt"),
    )
    assert settings.general.work_dir == Path("/srv/mesh")
    assert not settings.api_server.http.enabled
    assert settings.api_server.http.interface == "::1"
    assert settings.api_server.http.port == 0
    https = settings.api_server.https
    assert (https.interface, https.port) == ("127.0.0.1", 7443)
    assert https.tls_ca_file == Path("/etc/kong-mesh/ca.crt")
    assert settings.api_server.cors_allowed_domains == (
        r"https://a\.example",
        r"https://b\.example",
    )
    assert (settings.access.type, settings.access.rbac.log_actions) == ("rbac", ("denied",))
    assert settings.access.rbac.default_admin_role_users == ("alice", "bob")
    for row in rows():
        if row.path in GRANTS:
            assert value_at(settings, row.attributes) == ("somebody",)
    proxies = settings.dp_server
    assert (proxies.interface, proxies.port) == ("127.0.0.1", 5778)
    assert (proxies.authn.dp_proxy.type, proxies.authn.zone_proxy.type) == ("none", "none")
    assert settings.ipam.known_internal_CIDRs == ("10.1.0.0/16", "fd00:1::/64")
    assert proxies.hds.check_defaults.timeout == timedelta(seconds=5)
    assert settings.bootstrap_server.params.xds_host == "cp.example"
    assert settings.xds_server.dataplane_deregistration_delay == timedelta(0)
    assert settings.api_server.auth.client_certs_dir == Path("/etc/kong-mesh/clients")
    assert settings.general.tls_key_file == Path("/etc/kong-mesh/tls.key")
    assert not settings.api_server.authn.localhost_is_admin
    assert not settings.api_server.authn.tokens.bootstrap_admin_token
    assert settings.diagnostics.interface == "127.0.0.1"
    assert settings.diagnostics.server_port == 65535
    assert settings.multizone.zone.name == "east-1"
    assert settings.license.path == "/etc/kong-mesh/license.json"
    assert settings.admission.socket == Path("run/admission.sock")
    assert settings.admission.mesh_quotas == ("payments=50", "*=10")
    assert settings.log.level == "off"
    assert settings.metrics.mesh.min_resync_interval == timedelta(seconds=0.5)
    assert settings.metrics.zone.idle_timeout == timedelta(minutes=2)
    assert settings.runtime.universal.dataplane_cleanup_age == timedelta(hours=1)


def test_the_state_directory_of_systemd_is_the_work_dir() -> None:
    found = loaded(environ={"STATE_DIRECTORY": "/var/lib/kong-mesh-cp:/var/lib/other"})
    assert found.settings.general.work_dir == Path("/var/lib/kong-mesh-cp")
    assert found.origins["general.workDir"] == "environment STATE_DIRECTORY"


def test_a_work_dir_that_was_set_wins_over_systemd() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/x", "KUMA_GENERAL_WORK_DIR": "./var"}
    assert loaded(environ=environ).settings.general.work_dir == Path("var")


def test_without_systemd_the_work_dir_is_in_the_home() -> None:
    assert loaded().settings.general.work_dir == Path("/home/operator/.kuma")
    assert loaded().origins["general.workDir"] == "environment HOME"


def test_without_a_place_for_state_nothing_starts() -> None:
    with pytest.raises(SettingsRejectedError) as caught:
        load(arguments={}, environ={}, default_file=NO_FILE)
    assert caught.value.code == "config-no-work-dir"
    assert "KUMA_GENERAL_WORK_DIR" in caught.value.hint


def test_the_default_file_is_read_when_it_exists(tmp_path: Path) -> None:
    file = toml(tmp_path, '[log]\nlevel = "debug"\n')
    found = load(arguments={}, environ={"HOME": "/root"}, default_file=file)
    assert found.settings.log.level == "debug"
    assert found.file == file


def test_a_named_file_replaces_the_default_one(tmp_path: Path) -> None:
    default = toml(tmp_path, "[log]\nlevel = 'debug'\n")
    named = kuma_yaml(tmp_path, "mode: zone\n")
    arguments = {"--config-file": str(named)}
    found = load(arguments=arguments, environ={"HOME": "/root"}, default_file=default)
    assert found.settings.log.level == "info"


def test_a_named_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "missing.toml")
    assert problem.code == "config-missing"
    assert str(tmp_path / "missing.toml") in problem.message
    assert "config init" in problem.remedy


def test_several_problems_are_one_line_that_counts_them() -> None:
    environ = {"KUMA_API_SERVER_HTTP_PORT": "abc", "KUMA_MODE": "x", "KUMA_STORE_TYPE": "x"}
    with pytest.raises(SettingsRejectedError) as caught:
        loaded(environ=environ)
    error: ConfigurationError = caught.value
    assert "\n" not in error.line
    assert "KUMA_API_SERVER_HTTP_PORT" in error.line
    assert "2 more" in error.line
    assert error.exit_status == EX_CONFIG
    assert len(caught.value.problems) == 3


def test_a_wrong_value_is_refused_also_where_a_higher_layer_replaces_it(tmp_path: Path) -> None:
    file = toml(tmp_path, "[apiServer.http]\nport = 70000\n")
    (problem,) = problems(file, {"KUMA_API_SERVER_HTTP_PORT": "7002"})
    assert problem.code == "config-value"
    assert "line 2" in problem.message
    assert "70000" in problem.message


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS", "0", "from 2 to 1000"),
        ("KUMA_STORE_TYPE", "kubernetes", "sqlite"),
        ("KUMA_ENVIRONMENT", "kubernetes", "universal"),
    ],
)
def test_what_this_version_cannot_do_is_refused(variable: str, value: str, word: str) -> None:
    (problem,) = problems(environ={variable: value})
    assert problem.code == "config-unsupported"
    assert variable in problem.message
    assert word in problem.remedy


def test_the_old_name_of_the_mode_is_taken_with_a_warning() -> None:
    found = loaded(environ={"KUMA_MODE": "standalone"})
    assert found.settings.mode == "zone"
    (warning,) = found.warnings
    assert warning.startswith("config-deprecated: KUMA_MODE is 'standalone'")


def test_the_same_port_twice_is_refused() -> None:
    (problem,) = problems(environ={"KUMA_DIAGNOSTICS_SERVER_PORT": "5681"})
    assert problem.code == "config-port-conflict"


@pytest.mark.parametrize(
    "environ",
    [
        {"KUMA_API_SERVER_HTTP_ENABLED": "false"},
        {"KUMA_API_SERVER_HTTP_INTERFACE": "127.0.0.1", "KMESH_DIAGNOSTICS_INTERFACE": "127.0.0.2"},
        {"KUMA_API_SERVER_HTTP_PORT": "0", "KUMA_DIAGNOSTICS_SERVER_PORT": "0"},
    ],
)
def test_the_same_port_is_fine_where_the_two_cannot_meet(environ: dict[str, str]) -> None:
    assert problems(environ={"KUMA_DIAGNOSTICS_SERVER_PORT": "5681", **environ}) == ()
