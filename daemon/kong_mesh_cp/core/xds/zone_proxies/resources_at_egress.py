"""MeshExternalServices as the egress of their zone reaches them.

Source: docs/wire/zone-proxies.md#outside
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple

from kong_mesh_cp.core.formats.addresses import is_dns_name
from kong_mesh_cp.core.meshes.spiffe import MESH_TAG
from kong_mesh_cp.core.resources import data_source, labels
from kong_mesh_cp.core.resources.kinds.services import mesh_external_service as kind
from kong_mesh_cp.core.resources.meta import has_spec
from kong_mesh_cp.core.xds.outside.external_services import (
    NotLoadedError,
    OutsideName,
    OutsideTls,
    loaded,
    secrets_of,
)
from kong_mesh_cp.core.xds.services.instances import Endpoint, pairs
from kong_mesh_cp.core.xds.services.service_resources import EXTERNAL, ServiceResource
from kong_mesh_cp.core.xds.world import MeshWorld


class OutsideResource(NamedTuple):
    """A MeshExternalService with its endpoints."""

    service: ServiceResource
    endpoints: tuple[Endpoint, ...] = ()
    tls: OutsideTls | None = None  # spoken to all of them
    fault: str = ""  # why it cannot be reached

    @property
    def cluster(self) -> str:
        return self.service.cluster(self.service.ports[0].number)


def resources_at_egress(world: MeshWorld, system_authority: str) -> list[OutsideResource]:
    """Those of its zone, and those of no zone. `system_authority`: the file in which the machine of
    the egress has the authorities that it trusts; "": there is none.
    """
    secrets = secrets_of(world.resources)
    found: list[OutsideResource] = []
    for service in world.services.of_type(EXTERNAL):
        resource = world.of_type(EXTERNAL).get(service.name)
        if resource is None or not has_spec(resource, kind.MeshExternalService):
            continue
        if service.labels.get(labels.ZONE, "") in ("", world.zone):
            try:
                found.append(_reached(service, resource.spec, world, secrets, system_authority))
            except NotLoadedError as error:
                found.append(OutsideResource(service, fault=str(error)))
    return found


def _reached(
    service: ServiceResource,
    spec: kind.MeshExternalService,
    world: MeshWorld,
    secrets: Mapping[str, bytes],
    system_authority: str,
) -> OutsideResource:
    zone = service.labels.get(labels.ZONE)
    tags = pairs({**service.labels, MESH_TAG: world.name})
    endpoints = tuple(
        Endpoint(each.address, each.port, tags, zone=zone) for each in spec.endpoints or ()
    )
    tls = None
    if spec.tls is not None and spec.tls.enabled and endpoints:
        tls = _tls(spec.tls, endpoints[0].address, secrets, system_authority)
    return OutsideResource(service, endpoints, tls)


def _tls(
    said: kind.Tls, host: str, secrets: Mapping[str, bytes], system_authority: str
) -> OutsideTls:
    verification = said.verification or kind.Verification()
    mode = verification.mode
    authority = _loaded("caCert", verification.ca_cert, secrets)
    certificate = key = None
    if verification.client_cert is not None and verification.client_key is not None:
        certificate = _loaded("clientCert", verification.client_cert, secrets)
        key = _loaded("clientKey", verification.client_key, secrets)
    any_authority = mode in ("SkipCA", "SkipAll")
    any_name = mode in ("SkipSAN", "SkipAll")
    names = (
        OutsideName(is_prefix=each.type == "Prefix", value=each.value)
        for each in verification.subject_alt_names or ()
    )
    own_name = "" if any_name else verification.server_name or ""
    return OutsideTls(
        authority=None if any_authority else authority,
        authority_file="" if any_authority or authority is not None else system_authority,
        certificate=None if mode == "SkipAll" else certificate,
        key=None if mode == "SkipAll" else key,
        server_name=own_name or (host if is_dns_name(host) else ""),
        any_name=any_name,
        names=() if any_name else tuple(names),
        allow_renegotiation=said.allow_renegotiation,
        versions=None if said.version is None else (said.version.min, said.version.max),
    )


def _loaded(
    member: str, source: kind.DataSource | None, secrets: Mapping[str, bytes]
) -> bytes | None:
    """Raises: NotLoadedError."""
    if source is None:
        return None
    try:
        inline = None if source.inline is None else base64.b64decode(source.inline, validate=True)
    except (binascii.Error, ValueError):
        raise NotLoadedError(f"{member} is no Base64") from None
    as_proto = data_source.DataSource(
        secret=source.secret, inline=inline, inline_string=source.inline_string
    )
    return loaded(member, as_proto, secrets)
