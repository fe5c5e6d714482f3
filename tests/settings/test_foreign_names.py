"""Names of other programs: said whose they are, and never taken for a setting of another server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kong_mesh_cp.settings.names import kuma_names, nearest_variable, rows_by_variable
from kong_mesh_cp.settings.problems import SettingsRejectedError
from support.specs.configurations import loaded, problems

REFERENCE = Path(__file__).parents[3] / "shared/contract/reference/kuma-cp.defaults.yaml"


@pytest.mark.parametrize("name", ["KONG_LICENSE_PATH", "KONG_LICENSE_DATA"])
def test_a_variable_of_the_gateway_is_told_of(name: str) -> None:
    (warning,) = loaded(environ={name: "/etc/kong/hunter2.json"}).warnings
    assert warning == (
        f"config-foreign-variable: {name} is a variable of Kong Gateway, another product, and not"
        " read here. With no other source, the pre-bundled license is in force. Set"
        " KMESH_LICENSE_PATH or KMESH_LICENSE_INLINE."
    )


def test_beside_a_license_of_ours_it_does_less_harm() -> None:
    environ = {"KONG_LICENSE_DATA": "{}", "KMESH_LICENSE_PATH": "/etc/kong-mesh/license.json"}
    (warning,) = loaded(environ=environ).warnings
    assert "another product" in warning
    assert "pre-bundled" not in warning


def test_all_variables_of_kuma_that_are_not_used_are_one_note() -> None:
    known = kuma_names().variables
    unused = {name: "hidden" for name in known if name not in rows_by_variable()}
    found = loaded(environ={**unused, "KUMA_DATAPLANE_MESH": "default", "KUMA_DNS_ENABLED": "true"})
    assert found.warnings == ()
    (note,) = found.notes
    assert f"{len(unused) + 2 - 8} more" in note
    assert "hidden" not in note


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("KUMA_STORE_POSTGRES_TLS_CA_PATH", "KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH"),
        ("KUMA_API_SERVER_HTTPS_TLS_CA_FILE", "KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE"),
        ("KMESH_STORE_POSTGRES_HOST", "KUMA_STORE_POSTGRES_HOST"),
        ("KUMA_DIAGNOSTIC_SERVER_PORT", "KUMA_DIAGNOSTICS_SERVER_PORT"),
        ("KMESH_LICENSE", "KMESH_LICENSE_PATH"),
    ],
)
def test_a_name_is_guessed_by_its_place_first(name: str, nearest: str) -> None:
    assert nearest_variable(name) == nearest


@pytest.mark.parametrize(
    "name",
    [
        *("KUMA_DP_SERVER_HTTP_PORT", "KUMA_DP_SERVER_TLS_CERT_FILES", "KUMA_DP_SERVER_INTERFACE"),
        *("KUMA_BOOTSTRAP_SERVER_HTTP_PORT", "KUMA_XDS_SERVER_HTTPS_PORT"),
        *("KUMA_MONITORING_ASSIGNMENT_SERVER_INTERFACE", "KUMA_DNS_SERVER_HTTP_PORT"),
    ],
)
def test_no_guess_is_a_setting_of_another_server(name: str) -> None:
    server = name[: name.index("_SERVER_") + len("_SERVER_")]
    nearest = nearest_variable(name)
    ours = server.replace("KUMA_", "KMESH_")
    assert nearest is None or nearest.startswith((server, ours))


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        (
            {
                "KUMA_STORE_TYPE": "postgres",
                "KUMA_STORE_POSTGRES_TLS_MODE": "verifyCa",
                "KUMA_STORE_POSTGRES_TLS_CA_PATH": "/etc/kong-mesh/ca.pem",
            },
            "config-tls-incomplete",
        ),
        (
            {"KUMA_API_SERVER_HTTP_PORT": "many", "KUMA_STORE_POSTGRES_TLS_CA_PATH": "/x"},
            "config-value",
        ),
    ],
)
def test_an_error_hides_no_warning(environ: dict[str, str], code: str) -> None:
    (problem,) = problems(environ=environ)
    assert problem.code == code
    with pytest.raises(SettingsRejectedError) as caught:
        loaded(environ=environ)
    (remark,) = caught.value.remarks
    assert remark == (
        "config-unknown-variable: 'KUMA_STORE_POSTGRES_TLS_CA_PATH' is not a setting. Did you mean"
        " KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH?"
    )


@pytest.mark.skipif(not REFERENCE.exists(), reason="Kuma's reference configuration is not here")
def test_every_variable_of_kumas_reference_is_known() -> None:
    found = set(re.findall(r"\bKUMA_[A-Z0-9_]+", REFERENCE.read_text(encoding="utf-8")))
    assert found <= kuma_names().variables
