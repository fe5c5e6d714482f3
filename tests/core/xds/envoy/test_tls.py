"""TLS contexts and secrets say what the original's say.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from kong_mesh_cp.core.xds.envoy import tls

SDS = {"ads": {}, "resourceApiVersion": "V3"}
IDENTITY = {"name": "identity_cert:secret:shop", "sdsConfig": SDS}


def common(context: Any) -> Any:
    return MessageToDict(context)["commonTlsContext"]


def names(context: Any) -> Any:
    validation = common(context)["combinedValidationContext"]
    return validation["defaultValidationContext"]["matchTypedSubjectAltNames"]


def test_who_connects_has_to_be_of_the_mesh() -> None:
    context = tls.downstream_tls("shop")
    assert context.require_client_certificate.value
    assert names(context) == [{"sanType": "URI", "matcher": {"prefix": "spiffe://shop/"}}]
    assert common(context)["tlsCertificateSdsSecretConfigs"] == [IDENTITY]
    assert "alpnProtocols" not in common(context)


def test_who_is_connected_to_has_to_be_the_service_and_hears_the_meshs_protocol() -> None:
    context = tls.upstream_tls("shop", "bank", ["teller", "vault"], "teller{mesh=bank}")
    assert context.sni == "teller{mesh=bank}"
    assert [each["matcher"] for each in names(context)] == [
        {"exact": "spiffe://bank/teller"},
        {"exact": "spiffe://bank/vault"},
    ]
    assert common(context)["alpnProtocols"] == ["kuma"]
    assert common(context)["tlsCertificateSdsSecretConfigs"] == [IDENTITY]
    trusted = common(context)["combinedValidationContext"]["validationContextSdsSecretConfig"]
    assert trusted == {"name": "mesh_ca:secret:bank", "sdsConfig": SDS}


def test_without_services_it_is_enough_to_be_of_the_mesh() -> None:
    context = tls.upstream_tls("shop", "shop", [], "")
    assert [each["matcher"] for each in names(context)] == [{"prefix": "spiffe://shop/"}]


def test_secrets_hold_what_they_are_given() -> None:
    identity = tls.identity("i", b"chain", b"key").tls_certificate
    assert identity.certificate_chain.inline_bytes == b"chain"
    assert identity.private_key.inline_bytes == b"key"
    assert tls.authority("a", b"bundle").validation_context.trusted_ca.inline_bytes == b"bundle"
