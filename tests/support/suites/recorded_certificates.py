"""Certificates and what follows from them, for recorded proxies that have no control plane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from kong_mesh_cp.core.formats.expirations import expiration_of
from kong_mesh_cp.core.identity import ca
from kong_mesh_cp.core.identity.rsa_keys import private_key_pem
from kong_mesh_cp.core.identity.workload import leaf, lifetime_of, uris_of
from kong_mesh_cp.core.meshes.authority_conf import (
    BuiltinConf,
    provided_sources,
    readable_conf,
)
from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority, signing_authority
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
from kong_mesh_cp.core.resources.meta import Resource, has_spec
from kong_mesh_cp.core.resources.tags import SERVICE, Tags
from kong_mesh_cp.core.schema.violations import root
from kong_mesh_cp.core.xds.proxy_view import AdminTls, Identity, KeyPair
from kong_mesh_cp.core.xds.world import MeshWorld
from kong_mesh_cp.core.xds.zone_proxies.zone_view import SERVICES
from kong_mesh_cp.shell.host.leaf_signing import sign_leaf
from support.fakes.identity import rsa_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)

Resources = Iterable[Resource[Any]]


def identity_for(
    dataplane: Resource[Dataplane],
    mesh: Resource[Mesh],
    resources: Resources,
    trusted: Iterable[str] = (),
) -> Identity | None:
    """What the proxy of `dataplane` would have; None: its mesh has no mTLS. `trusted` are other
    meshes that it has to know.
    """
    own = _identity(dataplane.spec.tag_sets, mesh, resources)
    if own is None:
        return None
    others = {
        each.name: _authority(each, resources).chain
        for each in resources
        if has_spec(each, Mesh) and each.name in set(trusted)
    }
    return replace(own, authorities={**own.authorities, **others})


def zone_identities(
    proxy: Resource[ZoneEgress] | Resource[ZoneIngress],
    worlds: Iterable[MeshWorld],
    resources: Resources,
) -> dict[str, Identity]:
    """What a zone proxy would have in each mesh that has mTLS."""
    tags = {SERVICE: SERVICES[type(proxy.spec)]}
    found = {each.name: _identity([tags], each.mesh, resources) for each in worlds}
    return {mesh: identity for mesh, identity in found.items() if identity is not None}


def _identity(
    tag_sets: Iterable[Tags], mesh: Resource[Mesh], resources: Resources
) -> Identity | None:
    backend = mesh.spec.enabled_ca
    if backend is None:
        return None
    authority = _authority(mesh, resources)
    uris = uris_of(mesh.name, tag_sets)
    signed = sign_leaf(authority, leaf(uris, lifetime_of(backend), NOW))
    authorities = {mesh.name: authority.chain}
    for each in resources:
        other = each.spec.enabled_ca if has_spec(each, Mesh) else None
        if other is not None and each.name != mesh.name:
            authorities[each.name] = _pair(each.name, other, resources)[0]
    return Identity(pair=KeyPair(*signed), authorities=authorities)


def _authority(mesh: Resource[Mesh], resources: Resources) -> SigningAuthority:
    backend = mesh.spec.enabled_ca
    assert backend is not None
    found = signing_authority(*_pair(mesh.name, backend, resources), root("conf"))
    assert isinstance(found, SigningAuthority)
    return found


@cache
def admin_tls(*addresses: str) -> AdminTls:
    """What a control plane gives to the admin listener of a proxy at `addresses`."""
    key = rsa_key()
    pair = ca.bundle(ca.control_plane_ca("Envoy Admin CA", key, serial=7, now=NOW), key)
    authority = signing_authority(pair, pair, root("data"), judged=False)
    assert isinstance(authority, SigningAuthority)
    made = ca.admin_certificate(authority, addresses, purpose="server")
    return AdminTls(server=KeyPair(*made), authority=authority.chain)


def ready_services(mesh: str, resources: Resources, connected: Iterable[str]) -> frozenset[str]:
    """The services of which all proxies are among `connected` (`MESH/NAME`) and have certificates,
    or that are outside of the mesh.
    """
    with_certificates = set(connected)
    ready: dict[str, bool] = {}
    for each in resources:
        if has_spec(each, Dataplane) and each.mesh == mesh:
            for tags in each.spec.tag_sets:
                has_one = f"{mesh}/{each.name}" in with_certificates
                ready[tags[SERVICE]] = ready.get(tags[SERVICE], True) and has_one
        elif has_spec(each, ExternalService) and each.mesh == mesh:
            ready.setdefault(each.spec.tags[SERVICE], True)
    return frozenset(service for service, is_ready in ready.items() if is_ready)


def _pair(mesh: str, backend: CertificateAuthority, resources: Resources) -> tuple[bytes, bytes]:
    if backend.type == "builtin":
        asked = readable_conf(BuiltinConf, backend).certificate
        key = rsa_key(bits=asked.rsa_bits or 2048)
        validity = expiration_of(asked.expiration) or ca.TEN_YEARS
        made = ca.builtin_ca(mesh, key, serial=7, now=NOW, validity=validity)
        return made, private_key_pem(key)
    sources = provided_sources(backend, root("conf"))
    assert isinstance(sources, tuple)
    certificate, key_pem = (_content(each, mesh, resources) for each in sources)
    return certificate, key_pem


def _content(source: DataSource, mesh: str, resources: Resources) -> bytes:
    if source.secret is None:
        return source.inline or (source.inline_string or "").encode()
    found: bytes = next(
        each.spec.data
        for each in resources
        if (each.type, each.mesh, each.name) == ("Secret", mesh, source.secret)
    )
    return found
