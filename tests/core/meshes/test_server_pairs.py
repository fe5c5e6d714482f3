"""Which certificate and key a server can show, out of one text.

Source: docs/wire/gateways.md#certificates
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import PrivateFormat

from kong_mesh_cp.core.meshes.ca_pairs import UnusablePairError, server_pair
from support.fakes.authorities import block, certificate, ec_key, private_pem
from support.fakes.identity import pem, rsa_key

CERTIFICATE = certificate()
KEY = pem()
EC_CERTIFICATE = certificate(ec_key())
EC_KEY = private_pem(ec_key())
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (CERTIFICATE + KEY, "rsa"),
        (KEY + CERTIFICATE, "rsa"),
        (CERTIFICATE + private_pem(rsa_key(), PrivateFormat.PKCS8), "rsa"),
        (EC_CERTIFICATE + EC_KEY, "ecdsa"),
        # Tools write the curve before the key.
        (block("EC PARAMETERS") + EC_KEY + EC_CERTIFICATE, "ecdsa"),
    ],
)
def test_the_kind_is_that_of_the_key(text: bytes, kind: str) -> None:
    assert server_pair(text).kind == kind


def test_a_chain_stays_in_its_order_and_what_stands_between_is_left_out() -> None:
    pair = server_pair(b"leaf\n" + CERTIFICATE + b"its authority\n" + EC_CERTIFICATE + KEY)
    assert pair.chain == f"{CERTIFICATE.decode()}\n{EC_CERTIFICATE.decode()}\n"
    assert pair.key == KEY.decode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "there is no certificate in PEM"),
        (KEY, "there is no certificate in PEM"),
        (CERTIFICATE, "there is no private key in PEM"),
        (CERTIFICATE + KEY + EC_KEY, "there is more than one private key"),
        (CERTIFICATE + EC_KEY, "the private key is not that of the first certificate"),
        (EC_CERTIFICATE + CERTIFICATE + KEY, "the private key is not that of the first certificate"),
        (CERTIFICATE + block("PUBLIC KEY") + KEY, "a PEM block is PUBLIC KEY, not a certificate or a key"),
        (certificate(ED) + private_pem(ED, PrivateFormat.PKCS8), "the private key is to be one of RSA or ECDSA"),
        (CERTIFICATE + block("PRIVATE KEY"), "tls: failed to parse private key"),
        (block("CERTIFICATE") + KEY, "x509: malformed certificate"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_told(text: bytes, reason: str) -> None:
    with pytest.raises(UnusablePairError, match=reason):
        server_pair(text)
