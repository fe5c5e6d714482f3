"""What may be a secret in a resource of Envoy is shown to nobody."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.explaining.without_secrets import MASK, without_secrets

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    "resource",
    [
        {"tlsCertificates": [{"privateKey": {"inlineBytes": "c3dvcmRmaXNo"}}]},
        {"tls_certificates": [{"private_key": {"inline_string": "swordfish"}}]},
        {"password": {"inlineString": "swordfish"}},
        {"credentialSource": {"inlineString": "swordfish"}},
        {"authPassword": "swordfish"},
        {"secretAccessKey": "swordfish"},
        {"initialMetadata": [{"key": "Authorization", "value": "swordfish"}]},
        {"header": {"key": "x-api-key", "value": "swordfish"}},
        {"anywhere": [f"before {PEM} swordfish"]},
    ],
)
def test_secrets_are_masked(resource: object) -> None:
    shown = str(without_secrets(resource))
    assert "swordfish" not in shown
    assert "c3dvcmRmaXNo" not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "resource",
    [
        {"textFormatSource": {"inlineString": "%START_TIME%"}},
        {"trustedCa": {"inlineBytes": "Q0E="}},
        {"privateKey": {"filename": "/etc/key.pem"}},
        {"sdsSecretConfig": {"name": "identity_cert:secret:m"}},
        {"header": {"key": "x-kuma-tags", "value": "&kuma.io/service=web&"}},
        {"timeout": "5s", "weight": 1, "names": ["a", None, True]},
    ],
)
def test_all_else_is_shown_as_it_is(resource: object) -> None:
    assert without_secrets(resource) == resource
