"""Keys and certificates of proxies. Called in threads: an RSA authority takes a millisecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kong_mesh_cp.core.identity.workload import Leaf
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.host.randomness import new_ec_key, new_serial
from kong_mesh_cp.usecases.data_plane.credentials.workload_certificates import SignedLeaf

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import serialization

    from kong_mesh_cp.core.identity import ca
    from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority
else:
    ca = lazy_import("kong_mesh_cp.core.identity.ca")
    serialization = lazy_import("cryptography.hazmat.primitives.serialization")


def sign_leaf(authority: SigningAuthority, leaf: Leaf) -> SignedLeaf:
    """`usecases.data_plane.credentials.workload_certificates.SignLeaf`, with a key on P-256."""
    key = new_ec_key()
    chain = ca.workload_certificate(authority, leaf, key, serial=new_serial())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return SignedLeaf(chain, key.private_bytes(encoding, form, serialization.NoEncryption()))
