"""ExternalService: a service outside of the mesh, in the older form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import is_dns_name, is_ip, split_host_port
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.tags import (
    CANNOT_BE_EMPTY,
    SERVICE,
    TagRules,
    port_violations,
    protocol_check,
    tag_violations,
)
from kong_mesh_cp.core.schema.messages import EMPTY, Message, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

# Ten digits are what a 32-bit number can have; longer ones would only cost time.
_PORT: Final = re.compile(r"[0-9]{1,10}")
_PORT_NUMBERS_MAX: Final = 2**32 - 1  # what the original can parse at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(Message):
    """Whether and how TLS is spoken to the service."""

    enabled: bool = proto(default=False, number=1)
    ca_cert: DataSource | None = proto(number=2, original=True)
    client_cert: DataSource | None = proto(number=3, original=True)
    client_key: DataSource | None = proto(number=4, original=True)
    allow_renegotiation: bool | None = proto(number=5)
    server_name: str | None = proto(number=6, original=True)
    skip_hostname_verification: bool | None = proto(number=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking(Message):
    """The address of the service, and its TLS."""

    address: str = proto("", number=1)  # `host:port`
    tls: Tls | None = proto(number=2)
    disable_host_dns_entry: bool = proto(default=False, number=3, json="disableHostDNSEntry")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalService(Message):
    """A service outside of the mesh, known by its tags."""

    networking: Networking | None = proto(number=1)
    tags: Mapping[str, str] = proto(EMPTY, number=2)


def violations(service: ExternalService) -> list[Violation]:
    """Everything that is wrong with an ExternalService."""
    path = root("networking")
    if service.networking is None:
        # The checks below go on without it: tags are wrong or right by themselves.
        found = [path.violation("should have networking")]
    else:
        found = _address(service.networking.address, path.field("address"))
    if service.networking is not None and service.networking.tls is not None:
        found += _tls(service.networking.tls, path.field("tls"))
    # The tags make it a service like any other, so they have the rules of an inbound's.
    rules = TagRules(service_required=True, check=protocol_check)
    tags = root("tags")
    found += tag_violations(tags, service.tags, rules)
    if service.networking is not None and _clashes(service.networking.address, service.tags):
        reason = "cannot be the same as networking.address"
        found.append(tags.key(SERVICE).violation(reason))
    return found


def _address(address: str, path: FieldPath) -> list[Violation]:
    if not address:
        return [path.violation("address can't be empty")]
    found = []
    parts = split_host_port(address)
    host, port = parts or ("", "")
    # Go on with an empty host: Kuma reports the host and the port of an address it cannot split,
    # too.
    if parts is None:
        found.append(path.violation("unable to parse address"))
    if not is_ip(host) and not is_dns_name(host):
        found.append(path.violation("address has to be a valid IP address or a domain name"))
    number = int(port) if _PORT.fullmatch(port) else _PORT_NUMBERS_MAX + 1
    if number > _PORT_NUMBERS_MAX:
        found.append(path.violation("unable to parse port in address"))
    return found + port_violations(path, number)


def _tls(tls: Tls, path: FieldPath) -> list[Violation]:
    found = []
    # An absent one is the address's host; an empty one would send no SNI.
    if tls.server_name == "":
        found.append(path.field("serverName").violation(CANNOT_BE_EMPTY))
    for name, source in (
        ("caCert", tls.ca_cert),
        ("clientCert", tls.client_cert),
        ("clientKey", tls.client_key),
    ):
        if source is not None and source.is_empty:
            found.append(path.field(name).violation("data source cannot be empty"))
    return found


def _clashes(address: str, tags: Mapping[str, str]) -> bool:
    """Whether a client could not tell the name of the service from its address."""
    host, _ = split_host_port(address) or ("", "")
    # The name of the service is looked up in the mesh's DNS; as the real host's name it would
    # resolve to itself.
    return bool(host) and tags.get(SERVICE) == host


KIND: Final[Kind[ExternalService]] = proto_kind("ExternalService", ExternalService, violations)
