"""TLS to what is no proxy of the mesh: services outside, and collectors.

Source: docs/wire/older-policies.md#services-outside-of-the-mesh
"""

from __future__ import annotations

from collections.abc import Iterable

from kong_mesh_cp.core.formats.addresses import is_dns_name
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, UpstreamTlsContext, struct_of
from kong_mesh_cp.core.xds.envoy.tls import limit_versions, tls_socket
from kong_mesh_cp.core.xds.outside.external_services import OutsideName, OutsideTls


def match_outside(
    cluster: Message, host: str, tags: Iterable[tuple[str, str]], tls: OutsideTls
) -> None:
    """The endpoints with `tags`, of which the one at `host` is, are spoken to so."""
    found = cluster.transport_socket_matches.add(
        name=host, transport_socket=tls_socket(outside_tls(host, tls))
    )
    found.match.CopyFrom(struct_of(tags))


def outside_tls(host: str, tls: OutsideTls) -> Message:
    """An UpstreamTlsContext. Without an authority whoever answers is believed to be right."""
    # An address is no name that could be asked for.
    sni = tls.server_name or (host if is_dns_name(host) else "")
    context: Message = UpstreamTlsContext(allow_renegotiation=tls.allow_renegotiation, sni=sni)
    if tls.certificate is not None and tls.key is not None:
        context.common_tls_context.tls_certificates.add(
            certificate_chain={"inline_bytes": tls.certificate},
            private_key={"inline_bytes": tls.key},
        )
    if tls.authority is not None or tls.authority_file:
        _validate(context.common_tls_context, sni or host, tls)
    return context


def _validate(common: Message, own_name: str, tls: OutsideTls) -> None:
    validation = common.validation_context
    if tls.authority is not None:
        validation.trusted_ca.inline_bytes = tls.authority
    else:
        validation.trusted_ca.filename = tls.authority_file
    names = () if tls.any_name else ((OutsideName(is_prefix=False, value=own_name),), tls.names)
    for some in names:
        for kind in ("DNS", "IP_ADDRESS"):
            for name in some:
                matcher = {"prefix" if name.is_prefix else "exact": name.value}
                validation.match_typed_subject_alt_names.add(san_type=kind, matcher=matcher)
    if tls.versions is not None:
        limit_versions(common.tls_params, *tls.versions)
