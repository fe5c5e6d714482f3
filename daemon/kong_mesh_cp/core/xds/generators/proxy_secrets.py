"""The certificate of a proxy and the authorities it trusts, as far as its configuration names them.

Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from collections.abc import Collection

from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.envoy import tls
from kong_mesh_cp.core.xds.names import (
    ALL_AUTHORITIES,
    SECRET,
    authority_secret,
    identity_secret,
)
from kong_mesh_cp.core.xds.proxy_view import Identity


def secrets(own: str, identity: Identity | None, trusted: Collection[str], draft: Draft) -> None:
    """Of a proxy as a member of the mesh `own`, and of the meshes that it trusts there.

    What is not there yet is left out: Envoy waits for it, and lets nobody pass meanwhile.
    """
    if identity is None or not (trusted or draft.trusts_all):
        return
    name = identity_secret(own)
    draft.add(SECRET, name, tls.identity, identity.pair.chain, identity.pair.key)
    for mesh in sorted(trusted):
        name, bundle = authority_secret(mesh), identity.authorities.get(mesh)
        if bundle:
            draft.add(SECRET, name, tls.authority, bundle)
        else:
            draft.complain(name, f"mesh {mesh} has no authority that can be trusted")
    if draft.trusts_all:
        bundles = (identity.authorities[mesh] for mesh in sorted(identity.authorities))
        together = b"".join(each.rstrip(b"\n") + b"\n" for each in bundles if each)
        draft.add(SECRET, ALL_AUTHORITIES, tls.authority, together)
