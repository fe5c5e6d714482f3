"""Keys of proxies are on P-256, and are that of their certificate."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kong_mesh_cp.core.identity.workload import leaf
from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority, signing_authority
from kong_mesh_cp.core.schema.violations import root
from kong_mesh_cp.shell.host.leaf_signing import sign_leaf
from support.fakes.authorities import certificate
from support.fakes.identity import NOW, pem


def authority() -> SigningAuthority:
    found = signing_authority(certificate(), pem(), root("conf"))
    assert isinstance(found, SigningAuthority)
    return found


def test_each_certificate_has_a_key_and_a_number_of_its_own() -> None:
    asked = leaf(("spiffe://shop/web",), timedelta(hours=1), NOW)
    made = [sign_leaf(authority(), asked) for _ in range(2)]
    keys = [load_pem_private_key(each.key, password=None) for each in made]
    certificates = [x509.load_pem_x509_certificate(each.chain) for each in made]
    for key, each in zip(keys, certificates, strict=True):
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        assert key.public_key() == each.public_key()
    assert certificates[0].serial_number != certificates[1].serial_number
    assert certificates[0].public_key() != certificates[1].public_key()
