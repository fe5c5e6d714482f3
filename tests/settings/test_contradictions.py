"""Settings that are right one by one, and do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.specs.configurations import loaded, problems, toml

CERTIFICATE = {"KUMA_GENERAL_TLS_CERT_FILE": "/x.crt"}
MONITORING = "monitoringAssignmentServer"
KEY = {"KUMA_GENERAL_TLS_KEY_FILE": "/x.key"}


@pytest.mark.parametrize(
    ("environ", "both"),
    [
        ({"KUMA_API_SERVER_HTTPS_PORT": "5681"}, "apiServer.http.port and apiServer.https.port"),
        ({"KUMA_API_SERVER_HTTPS_PORT": "5680"}, "apiServer.https.port and diagnostics.serverPort"),
        ({"KUMA_DP_SERVER_PORT": "5682"}, "apiServer.https.port and dpServer.port"),
        (
            {"KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": "5678"},
            "dpServer.port and monitoringAssignmentServer.port",
        ),
    ],
)
def test_no_two_servers_share_a_port(environ: dict[str, str], both: str) -> None:
    (problem,) = problems(environ=environ)
    assert problem.code == "config-port-conflict"
    assert problem.message.startswith(both)


@pytest.mark.parametrize("base_path", ["/gui", "/gui/api"])
def test_the_console_does_not_hide_the_api(base_path: str) -> None:
    environ = {"KUMA_API_SERVER_BASE_PATH": base_path}
    (problem,) = problems(environ=environ)
    assert problem.code == "config-console-path"
    assert problems(environ={**environ, "KUMA_API_SERVER_GUI_ENABLED": "false"}) == ()
    assert problems(environ={**environ, "KUMA_API_SERVER_GUI_BASE_PATH": "/console"}) == ()
    assert problems(environ={"KUMA_API_SERVER_BASE_PATH": "/guide"}) == ()


def test_a_global_control_plane_has_no_server_for_proxies() -> None:
    assert problems(environ={"KUMA_MODE": "global", "KUMA_DP_SERVER_PORT": "5682"}) == ()


def test_a_server_that_is_off_takes_no_port() -> None:
    environ = {"KUMA_API_SERVER_HTTPS_PORT": "5680", "KUMA_API_SERVER_HTTPS_ENABLED": "false"}
    assert problems(environ=environ) == ()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (CERTIFICATE, "general.tlsCertFile is set and general.tlsKeyFile is not"),
        (KEY, "general.tlsKeyFile is set and general.tlsCertFile is not"),
        (
            {"KUMA_API_SERVER_HTTPS_TLS_KEY_FILE": "/x.key", **CERTIFICATE, **KEY},
            "apiServer.https.tlsKeyFile is set and apiServer.https.tlsCertFile is not",
        ),
        (
            {"KUMA_DP_SERVER_TLS_CERT_FILE": "/x.crt"},
            "dpServer.tlsCertFile is set and dpServer.tlsKeyFile is not",
        ),
        (
            {"KUMA_MONITORING_ASSIGNMENT_SERVER_TLS_KEY_FILE": "/x.key"},
            f"{MONITORING}.tlsKeyFile is set and {MONITORING}.tlsCertFile is not",
        ),
        (
            {"KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT": "true"},
            "apiServer.https.requireClientCert is true, but no authority is named",
        ),
    ],
)
def test_half_of_tls_is_refused(environ: dict[str, str], message: str) -> None:
    (problem,) = problems(environ=environ)
    assert (problem.code, problem.message) == ("config-tls-incomplete", message)


@pytest.mark.parametrize(("server", "section"), [("GENERAL", "general"), ("DP_SERVER", "dpServer")])
def test_the_newest_version_is_not_older_than_the_oldest(server: str, section: str) -> None:
    environ = {f"KUMA_{server}_TLS_MIN_VERSION": "TLSv1_3"}
    environ[f"KUMA_{server}_TLS_MAX_VERSION"] = "TLSv1_2"
    (problem,) = problems(environ=environ)
    assert problem.code == "config-tls-versions"
    assert problem.message.startswith(f"{section}.tlsMaxVersion is TLSv1_2")


@pytest.mark.parametrize("version", ["TLSv1_0", "TLSv1_1"])
def test_versions_that_are_broken_are_refused(version: str) -> None:
    (problem,) = problems(environ={"KUMA_GENERAL_TLS_MIN_VERSION": version})
    assert (problem.code, problem.remedy) == ("config-unsupported", "Use TLSv1_2.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUMA_GENERAL_TLS_CIPHER_SUITES", "TLS_RSA_WITH_RC4_128_SHA"),
        ("KUMA_API_SERVER_CORS_ALLOWED_DOMAINS", "https://ok,https://(broken"),
        ("KUMA_API_SERVER_CORS_ALLOWED_DOMAINS", "a,,b"),
    ],
)
def test_a_list_with_a_wrong_word_is_refused(name: str, value: str) -> None:
    (problem,) = problems(environ={name: value})
    assert problem.code == "config-value"
    assert name in problem.message


def test_a_list_in_a_file_is_a_list_and_may_be_empty(tmp_path: Path) -> None:
    text = '[apiServer]\ncorsAllowedDomains = []\n[general]\ntlsCipherSuites = ["TLS_AES_128_GCM_SHA256"]\n'
    settings = loaded(toml(tmp_path, text)).settings
    assert settings.api_server.cors_allowed_domains == ()
    assert settings.general.tls_cipher_suites == ("TLS_AES_128_GCM_SHA256",)


POSTGRES = {"KUMA_STORE_TYPE": "postgres"}
TLS = "store.postgres.tls"


@pytest.mark.parametrize(
    ("environ", "code", "message"),
    [
        (
            {"KUMA_STORE_POSTGRES_TLS_MODE": "verifyFull"},
            "config-tls-incomplete",
            f"{TLS}.mode is verifyFull, but no authority is named",
        ),
        (
            {
                "KUMA_STORE_POSTGRES_TLS_MODE": "verifyNone",
                "KUMA_STORE_POSTGRES_TLS_KEY_PATH": "/x.key",
            },
            "config-tls-incomplete",
            f"{TLS}.keyPath is set and {TLS}.certPath is not",
        ),
        (
            {"KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH": "/ca.crt"},
            "config-tls-unused",
            f"{TLS}.mode is disable, but files for TLS are named",
        ),
        (
            {
                "KUMA_STORE_POSTGRES_PASSWORD": "not-a-secret",
                "KMESH_STORE_POSTGRES_PASSWORD_FILE": "/password",
            },
            "config-password-twice",
            "store.postgres.password and store.postgres.passwordFile are both set",
        ),
    ],
)
def test_what_is_set_of_postgres_goes_together(
    environ: dict[str, str], code: str, message: str
) -> None:
    (problem,) = problems(environ={**POSTGRES, **environ})
    assert (problem.code, problem.message) == (code, message)
    assert "not-a-secret" not in problem.line
    assert problems(environ=environ) == ()


@pytest.mark.parametrize(
    ("environ", "codes"),
    [
        ({}, []),
        ({"KUMA_MODE": "global"}, []),
        (
            {"KUMA_MODE": "global", "KUMA_MULTIZONE_GLOBAL_KDS_TLS_ENABLED": "false"},
            ["zones-in-plain-text"],
        ),
        ({"KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": "grpcs://g:5685"}, []),
        (
            {
                "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": "grpcs://g:5685",
                "KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY": "true",
            },
            ["global-not-verified"],
        ),
        (
            {"KUMA_MODE": "global", "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": "grpcs://g:5685"},
            ["config-unused"],
        ),
    ],
)
def test_what_does_less_than_expected_is_said(environ: dict[str, str], codes: list[str]) -> None:
    assert [line.partition(":")[0] for line in loaded(environ=environ).warnings] == codes


@pytest.mark.parametrize(
    "address",
    ["global:5685", "http://global:5685", "grpcs://global", "grpcs://:5685", "grpcs://g:p"],
)
def test_what_is_no_address_of_a_global_control_plane_is_refused(address: str) -> None:
    (problem,) = problems(environ={"KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": address})
    assert problem.code == "config-global-address"
    assert (
        problems(environ={"KUMA_MODE": "global", "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": address})
        == ()
    )
