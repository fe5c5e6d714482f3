"""The certificates that listeners of gateways show, out of secrets and what stands inline.

Source: docs/wire/gateways.md#certificates
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.xds.outside.external_services import NotLoadedError, loaded
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes import ca_pairs
else:
    ca_pairs = lazy_import("kong_mesh_cp.core.meshes.ca_pairs")


@dataclass(frozen=True, slots=True)
class EdgeCertificate:
    """A certificate with its chain, and the secret by which a proxy gets it. In PEM."""

    name: str  # of the secret
    kind: str  # of the key
    chain: str
    key: str = field(repr=False)


def edge_certificate_of(
    source: DataSource, hostname: str, secrets: Mapping[str, bytes]
) -> EdgeCertificate:
    """What `source` has for the listener of `hostname`. `secrets` are those of the mesh, by name.

    Raises: UnmakeableError.
    """
    try:
        text = loaded("the certificate", source, secrets) or b""
        pair = ca_pairs.server_pair(text)
    except (NotLoadedError, ca_pairs.UnusablePairError) as error:
        raise UnmakeableError(f"a certificate of {hostname} cannot be used: {error}") from error
    if source.secret is not None:
        origin = f"secret:{source.secret}"
    elif source.inline is not None:
        origin = f"inline:{hostname}"
    else:
        origin = f"inlineString:{hostname}"
    return EdgeCertificate(f"cert.{pair.kind}:{origin}", pair.kind, pair.chain, pair.key)
