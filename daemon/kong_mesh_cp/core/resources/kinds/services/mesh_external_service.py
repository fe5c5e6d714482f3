"""MeshExternalService: something outside of the mesh that its members may call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, is_dns_name, is_ip
from kong_mesh_cp.core.resources.kinds.services.address_status import (
    Addresses,
    GeneratorStatuses,
    Vip,
)
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.resources.tls_versions import TlsVersion, version_violations
from kong_mesh_cp.core.schema.record_terms import (
    EMPTY_IF_ABSENT,
    AnyJson,
    Format,
    Length,
    OneOf,
    Range,
)
from kong_mesh_cp.core.schema.value_checks import (
    MUST_BE_DEFINED,
    MUST_NOT_BE_EMPTY,
    label_name,
    must_be_one_of,
    port,
)
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

PROTOCOLS: Final = ("tcp", "grpc", "http", "http2")
GENERATED: Final = "HostnameGenerator"
# The order of the text is another one than that of the schema's enumeration.
MODES: Final = ("SkipSAN", "SkipCA", "SkipAll", "Secured")
SAN_TYPES: Final = ("Prefix", "Exact")

PortNumber = Annotated[int, Range(1, PORT_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Under what members of the mesh know the service."""

    # One value so far: host names come from generators and from nowhere else.
    type: Annotated[str, OneOf((GENERATED,))] = GENERATED
    port: PortNumber
    protocol: Annotated[str, OneOf(PROTOCOLS)] = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A service that a plugin reaches; endpoints and TLS are then the plugin's business."""

    type: str
    config: AnyJson | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the service is reached."""

    address: Annotated[str, Length(minimum=1)]
    port: PortNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Bytes from the resource itself or from a Secret; one member is set."""

    # `inline` is Base64, `inlineString` the text itself; which of them is set is not checked, as
    # Kuma does not.
    inline: Annotated[str, Format("byte")] | None = None
    inline_string: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectAltName:
    """A name that the certificate of the service has to carry."""

    type: Annotated[str, OneOf(("Exact", "Prefix"))] = "Exact"
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How the certificate of the service is verified, and what the client shows."""

    mode: Annotated[str, OneOf(("SkipSAN", "SkipCA", "Secured", "SkipAll"))] = "Secured"
    server_name: str | None = None
    subject_alt_names: tuple[SubjectAltName, ...] | None = None
    ca_cert: DataSource | None = None
    client_cert: DataSource | None = None
    client_key: DataSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whether and how TLS is spoken to the service."""

    enabled: bool = False
    version: TlsVersion | None = None
    allow_renegotiation: bool = False
    verification: Verification | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshExternalService:
    """A service outside of the mesh, known by a hostname of the mesh."""

    match: Match
    extension: Extension | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshExternalServiceStatus:
    """What the control plane adds to it: its virtual address and hostnames."""

    vip: Annotated[Vip, EMPTY_IF_ABSENT]
    addresses: Addresses = ()
    hostname_generators: GeneratorStatuses = ()


def _violations(spec: MeshExternalService) -> Iterator[Violation]:
    at = root("spec")
    yield from _match(spec.match, at.field("match"))
    if spec.extension is not None:
        # With an extension endpoints and TLS belong to the plugin and are not checked at all.
        if not spec.extension.type:
            yield at.field("extension").field("type").violation(MUST_NOT_BE_EMPTY)
        return
    for index, endpoint in enumerate(spec.endpoints or ()):
        endpoint_at = at.field("endpoints").index(index)
        # The port is only looked at where the address is one: Kuma's order.
        if is_ip(endpoint.address) or is_dns_name(endpoint.address):
            yield from port(endpoint.port, endpoint_at.field("port"))
        else:
            yield endpoint_at.field("address").violation("address has to be a valid IP or hostname")
    if spec.tls is not None:
        yield from _tls(spec.tls, at.field("tls"))


def _match(match: Match, at: FieldPath) -> Iterator[Violation]:
    if match.type != GENERATED:
        yield at.field("type").violation(
            f"unrecognized type '{match.type}' - only '{GENERATED}' is supported"
        )
    yield from port(match.port, at.field("port"))
    if match.protocol not in PROTOCOLS:
        yield at.field("protocol").violation(must_be_one_of("protocol", PROTOCOLS))


def _tls(tls: Tls, at: FieldPath) -> Iterator[Violation]:
    if tls.version is not None:
        yield from version_violations(tls.version, at.field("version"))
    if tls.verification is not None:
        yield from _verification(tls.verification, at.field("verification"))


def _verification(verification: Verification, at: FieldPath) -> Iterator[Violation]:
    name = verification.server_name
    # The name is sent as SNI, which cannot be an address.
    if name is not None and not is_dns_name(name):
        yield at.field("serverName").violation("must be a valid DNS name")
    if verification.mode not in MODES:
        yield at.field("mode").violation(must_be_one_of("mode", MODES))
    for index, san in enumerate(verification.subject_alt_names or ()):
        if san.type not in SAN_TYPES:
            type_at = at.field("subjectAltNames").index(index).field("type")
            yield type_at.violation(must_be_one_of("type", SAN_TYPES))
    cert, key = verification.client_cert, verification.client_key
    # A client certificate is of use only with its key; half a pair is refused at the missing half.
    if cert is not None and key is None:
        yield at.field("clientKey").violation(f"{MUST_BE_DEFINED} when clientCert is defined")
    if cert is None and key is not None:
        yield at.field("clientCert").violation(f"{MUST_BE_DEFINED} when clientKey is defined")


KIND: Final = plugin_kind(
    "MeshExternalService",
    MeshExternalService,
    _violations,
    # Of its own name, whatever it is called by users.
    name_violations=lambda name, _display_name: label_name(name),
    status_type=MeshExternalServiceStatus,
)
