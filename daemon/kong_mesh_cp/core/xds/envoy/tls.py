"""TLS between proxies: what each side shows, and whom it takes the other one for.

Certificates and authorities come apart from listeners and clusters, by name, so that a new one
touches neither. Source: docs/wire/mtls.md#tls
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.meshes.spiffe import mesh_prefix, service_id
from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    FROM_ADS,
    DownstreamTlsContext,
    Message,
    Secret,
    TransportSocket,
    UpstreamTlsContext,
    packed,
)
from kong_mesh_cp.core.xds.names import (
    ALL_AUTHORITIES,
    authority_secret,
    identity_secret,
)

TLS_SOCKET: Final = "envoy.transport_sockets.tls"
_VERSIONS: Final = {
    "TLSAuto": "TLS_AUTO",
    "TLS10": "TLSv1_0",
    "TLS11": "TLSv1_1",
    "TLS12": "TLSv1_2",
    "TLS13": "TLSv1_3",
}
MESH_PROTOCOL: Final = "kuma"  # in ALPN: tells a mesh's TLS from the application's own


def downstream_tls(mesh: str) -> Message:
    """What a proxy of `mesh` asks of those who connect: a certificate of the mesh."""
    return DownstreamTlsContext(
        require_client_certificate={"value": True},
        common_tls_context=_common(mesh, mesh, [{"prefix": mesh_prefix(mesh)}]),
    )


def downstream_tls_of_all(mesh: str) -> Message:
    """What a proxy of `mesh` asks of those who connect: a certificate of any mesh there is."""
    common = _common(mesh, mesh, [])
    authorities = common["combined_validation_context"]
    assert isinstance(authorities, dict)  # noqa: S101 — as it was made
    authorities["validation_context_sds_secret_config"] = _from_ads(ALL_AUTHORITIES)
    return DownstreamTlsContext(
        require_client_certificate={"value": True}, common_tls_context=common
    )


def edge_tls(certificates: Iterable[str], protocols: Iterable[str]) -> Message:
    """What a gateway shows to those outside of any mesh, of whom it asks nothing: the certificates
    in the secrets of these names. `protocols` are for ALPN.
    """
    return DownstreamTlsContext(
        require_client_certificate={"value": False},
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": [*protocols],
            "tls_certificate_sds_secret_configs": [_from_ads(each) for each in certificates],
        },
    )


def edge_certificate(name: str, chain: str, key: str) -> Message:
    """The secret of a certificate that a gateway shows. PEM."""
    return Secret(
        name=name,
        tls_certificate={
            "certificate_chain": {"inline_string": chain},
            "private_key": {"inline_string": key},
        },
    )


def upstream_tls(mesh: str, upstream_mesh: str, services: Iterable[str], sni: str) -> Message:
    """What a proxy of `mesh` asks of those it connects to: to be one of `services`.

    Without any it is enough that they are of `upstream_mesh`.
    """
    names: list[dict[str, str]] = [
        {"exact": service_id(upstream_mesh, each)} for each in services
    ] or [{"prefix": mesh_prefix(upstream_mesh)}]
    return UpstreamTlsContext(
        sni=sni,
        common_tls_context={
            **_common(mesh, upstream_mesh, names),
            "alpn_protocols": [MESH_PROTOCOL],
        },
    )


def tls_socket(context: Message) -> Message:
    """As listeners and clusters take a DownstreamTlsContext, or an UpstreamTlsContext."""
    return TransportSocket(name=TLS_SOCKET, typed_config=packed(context))


def limit_versions(parameters: Message, least: str, most: str) -> None:
    """`parameters` are TlsParameters; the versions are as a `TlsVersion` says them."""
    parameters.SetInParent()
    parameters.tls_minimum_protocol_version = _VERSIONS[least]
    parameters.tls_maximum_protocol_version = _VERSIONS[most]


def identity(name: str, chain: bytes, key: bytes) -> Message:
    """The certificate that a proxy shows. PEM."""
    return Secret(
        name=name,
        tls_certificate={
            "certificate_chain": {"inline_bytes": chain},
            "private_key": {"inline_bytes": key},
        },
    )


def authority(name: str, bundle: bytes) -> Message:
    """The authorities that a proxy trusts in a mesh. PEM."""
    return Secret(name=name, validation_context={"trusted_ca": {"inline_bytes": bundle}})


def _common(mesh: str, trusted_mesh: str, names: list[dict[str, str]]) -> dict[str, object]:
    return {
        "tls_certificate_sds_secret_configs": [_from_ads(identity_secret(mesh))],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [
                    {"san_type": "URI", "matcher": matcher} for matcher in names
                ]
            },
            "validation_context_sds_secret_config": _from_ads(authority_secret(trusted_mesh)),
        },
    }


def _from_ads(name: str) -> dict[str, object]:
    return {"name": name, "sds_config": FROM_ADS}
