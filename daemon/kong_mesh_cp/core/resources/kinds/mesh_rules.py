"""What a Mesh may hold. Clients see `config` in the path of some `conf`.

Source: docs/wire/meshes.md#checks
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import parse_request_uri, split_host_port
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_regex import PATTERNS_MAX, TOO_MANY
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.mesh import (
    CertificateAuthority,
    DatadogConf,
    FileConf,
    Logging,
    LoggingBackend,
    Mesh,
    Metrics,
    Mtls,
    ProxyConstraints,
    TcpConf,
    Tracing,
    TracingBackend,
    ZipkinConf,
)
from kong_mesh_cp.core.resources.metrics_backend import (
    PROMETHEUS,
    MetricsBackend,
    PrometheusConf,
    backend_violations,
    has_pattern,
)
from kong_mesh_cp.core.resources.tags import (
    CANNOT_BE_EMPTY,
    TagRules,
    allowed_values,
    port_violations,
    selector_violations,
)
from kong_mesh_cp.core.schema.member_names import Confs
from kong_mesh_cp.core.schema.messages import Message, Uint32, proto, read_message
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

# The field is a list, but Kuma 2.10 takes one: changing the authority means to switch mTLS off.
CA_BACKENDS_MAX: Final = 1
# Here a second one may stand beside the one in force, which it is to replace.
CA_BACKENDS_MEANWHILE_MAX: Final = 2

# Not Go's durations: days, weeks and years are known, but only one unit at a time.
_EXPIRATION: Final = re.compile(r"[0-9]+(y|w|d|h|m|s|ms)|0")
_ZIPKIN_VERSIONS: Final = ("httpJsonV1", "httpJson", "httpProto")
_NOT_A_BACKEND: Final = "has to be set to one of the backends in the mesh"


def violations(mesh: Mesh) -> list[Violation]:
    """Everything that is wrong with a Mesh by itself."""
    return _violations(mesh, CA_BACKENDS_MAX)


def change_violations(before: Mesh, after: Mesh) -> list[Violation]:
    """As `violations`, of a Mesh that takes the place of `before`."""
    return _violations(after, authorities_max(before, after))


def authorities_max(before: Mesh, after: Mesh) -> int:
    """How many authorities `after` may have: a second one only beside the one in force.

    Source: docs/wire/mtls.md#a-new-authority
    """
    mtls, in_force = after.mtls, before.enabled_ca
    if mtls is None or not mtls.enabled_backend or in_force is None:
        return CA_BACKENDS_MAX
    stays = any(each.name == in_force.name for each in mtls.backends)
    return CA_BACKENDS_MEANWHILE_MAX if stays else CA_BACKENDS_MAX


def count_violations(before: Mesh, after: Mesh) -> list[Violation]:
    """What is wrong with the number of authorities of `after`."""
    return [] if after.mtls is None else _count(after.mtls, authorities_max(before, after))


def _count(mtls: Mtls, backends_max: int) -> list[Violation]:
    if len(mtls.backends) <= backends_max:
        return []
    reason = f"cannot have more than {CA_BACKENDS_MAX} backends"
    return [root("mtls").field("backends").violation(reason)]


def _violations(mesh: Mesh, backends_max: int) -> list[Violation]:
    found: list[Violation] = []
    # The order of the sections is that of Kuma's validator, and so of the texts.
    if mesh.mtls is not None:
        found += _mtls(mesh.mtls, root("mtls"), backends_max)
    if mesh.logging is not None:
        found += _logging(mesh.logging, root("logging"))
    if mesh.tracing is not None:
        found += _tracing(mesh.tracing, root("tracing"))
    if mesh.metrics is not None:
        found += _metrics(mesh.metrics, root("metrics"))
    if mesh.constraints is not None and mesh.constraints.dataplane_proxy is not None:
        at = root("constraints").field("dataplaneProxy")
        found += _constraints(mesh.constraints.dataplane_proxy, at)
    # An egress tells clients apart by their certificates; without mTLS it could not route.
    zone_egress = mesh.routing is not None and mesh.routing.zone_egress
    if zone_egress and (mesh.mtls is None or not mesh.mtls.enabled_backend):
        found.append(Violation("mtls", "has to be set when zoneEgress enabled"))
    return found


def is_expiration(text: str) -> bool:
    """Whether `text` is a time for which a certificate can be valid: `1d`, `500ms`, `0`."""
    return _EXPIRATION.fullmatch(text) is not None


def _used_twice(names: Iterable[str], path: FieldPath) -> list[list[Violation]]:
    """For each backend: what is wrong with its name in the company of those before it."""
    found: list[list[Violation]] = []
    used: set[str] = set()
    for index, name in enumerate(names):
        at = path.field("backends").index(index).field("name")
        reason = f"{go_quote(name)} name is already used for another backend"
        # One list for each backend, because some callers put it among the backend's other faults.
        found.append([at.violation(reason)] if name in used else [])
        used.add(name)
    return found


def _mtls(mtls: Mtls, path: FieldPath, backends_max: int) -> list[Violation]:
    # Reported beside faults of the backends: a user corrects both at once.
    found = _count(mtls, backends_max)
    names = [backend.name for backend in mtls.backends]
    for twice in _used_twice(names, path):
        found += twice
    # "" is mTLS off, which is valid with any backends.
    if mtls.enabled_backend and mtls.enabled_backend not in names:
        found.append(path.field("enabledBackend").violation(_NOT_A_BACKEND))
    for backend in mtls.backends:
        if backend.dp_cert is None:
            continue
        rotation = backend.dp_cert.rotation
        # Whenever `dpCert` is there: an empty one, or one with a timeout alone, is refused by Kuma
        # too.
        if rotation is None or not is_expiration(rotation.expiration):
            # Lower case, and without the backend's index: the text that clients know.
            at = path.field("dpcert").field("rotation").field("expiration")
            found.append(at.violation("has to be a valid format"))
    return found


def _logging(logging: Logging, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    names = [backend.name for backend in logging.backends]
    for index, twice in enumerate(_used_twice(names, path)):
        at = path.field("backends").index(index)
        found += [*_logging_backend(logging.backends[index], at), *twice]
    if logging.default_backend and logging.default_backend not in names:
        reason = "has to be set to one of the logging backend in mesh"
        found.append(path.field("defaultBackend").violation(reason))
    return found


# The conf is a Struct on the wire: each type reads its own message out of it.
def _logging_backend(backend: LoggingBackend, path: FieldPath) -> list[Violation]:
    found = _named(backend.name, path)
    at = path.field("config")
    try:
        match backend.type:
            case "file":
                found += _file(backend.conf, at)
            case "tcp":
                found += _tcp(backend.conf, at)
            case _:
                reason = 'unknown backend type. Available backends: "tcp", "file"'
                found.append(path.field("type").violation(reason))
    # protobuf's reader stops at the first fault, hence there is one text for the whole conf.
    except ParseError as error:
        found.append(at.violation(f"could not parse config: {error.reason}"))
    return found


def _named(name: str, path: FieldPath) -> list[Violation]:
    return [] if name else [path.field("name").violation(CANNOT_BE_EMPTY)]


def _file(conf: Mapping[str, object] | None, at: FieldPath) -> list[Violation]:
    if read_message(FileConf, conf).path:
        return []
    return [at.field("path").violation(CANNOT_BE_EMPTY)]


def _tcp(conf: Mapping[str, object] | None, at: FieldPath) -> list[Violation]:
    address = read_message(TcpConf, conf).address
    if not address:
        return [at.field("address").violation(CANNOT_BE_EMPTY)]
    # Host and port both: `:9000` would log to the machine of each proxy.
    if all(split_host_port(address) or ("",)):
        return []
    return [at.field("address").violation("has to be in format of HOST:PORT")]


def _tracing(tracing: Tracing, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    names = [backend.name for backend in tracing.backends]
    for index, twice in enumerate(_used_twice(names, path)):
        at = path.field("backends").index(index)
        found += [*_tracing_backend(tracing.backends[index], at), *twice]
    if tracing.default_backend and tracing.default_backend not in names:
        reason = "has to be set to one of the tracing backend in mesh"
        found.append(path.field("defaultBackend").violation(reason))
    return found


def _tracing_backend(backend: TracingBackend, path: FieldPath) -> list[Violation]:
    found = _named(backend.name, path)
    # Absent is 100 % where it is used, and 0 here: either is in range.
    sampling = 0.0 if backend.sampling is None else backend.sampling
    # Go compares so too: not-a-number passes.
    if sampling < 0 or sampling > 100:
        found.append(path.field("sampling").violation("has to be in [0.0 - 100.0] range"))
    at = path.field("config")
    try:
        match backend.type:
            case "zipkin":
                found += _zipkin(read_message(ZipkinConf, backend.conf), at)
            case "datadog":
                found += _datadog(read_message(DatadogConf, backend.conf), at)
            case _:
                reason = 'unknown backend type. Available backends: "zipkin", "datadog"'
                found.append(path.field("type").violation(reason))
    except ParseError as error:
        found.append(at.violation(f"could not parse config: {error.reason}"))
    return found


def _zipkin(conf: ZipkinConf, at: FieldPath) -> list[Violation]:
    found = []
    # Absent is httpJson.
    if conf.api_version and conf.api_version not in _ZIPKIN_VERSIONS:
        reason = f"has invalid value. {allowed_values(*_ZIPKIN_VERSIONS)}"
        found.append(at.field("apiVersion").violation(reason))
    url = parse_request_uri(conf.url)
    if not conf.url:
        found.append(at.field("url").violation(CANNOT_BE_EMPTY))
    elif url is None:
        found.append(at.field("url").violation("invalid URL"))
    # Kuma needs the port for Envoy's cluster, and does not take it from the scheme.
    elif not url.port:
        found.append(at.field("url").violation("port has to be explicitly specified"))
    return found


def _datadog(conf: DatadogConf, at: FieldPath) -> list[Violation]:
    found = []
    if not conf.address:
        found.append(at.field("address").violation(CANNOT_BE_EMPTY))
    return found + port_violations(at.field("port"), conf.port)


def _metrics(metrics: Metrics, path: FieldPath) -> list[Violation]:
    # The only parts of a mesh that take time to check; counted before any is compiled.
    if sum(map(has_pattern, metrics.backends)) > PATTERNS_MAX:
        return [path.field("backends").violation(TOO_MANY)]
    found: list[Violation] = []
    names = [backend.name for backend in metrics.backends]
    for index, twice in enumerate(_used_twice(names, path)):
        at = path.field("backends").index(index)
        found += [*twice, *backend_violations(metrics.backends[index], at)]
    if metrics.enabled_backend and metrics.enabled_backend not in names:
        found.append(path.field("enabledBackend").violation(_NOT_A_BACKEND))
    return found


def _constraints(constraints: ProxyConstraints, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    rules = TagRules(at_least_one=True)
    for name, memberships in (
        # Both lists have the form of selectors, so that `*` is any value.
        ("requirements", constraints.requirements),
        ("restrictions", constraints.restrictions),
    ):
        for index, membership in enumerate(memberships):
            at = path.field(name).index(index).field("tags")
            found += selector_violations(at, membership.tags, rules)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _CaCert(Message):
    rsa_bits: Uint32 | None = proto(number=1, json="RSAbits")
    expiration: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BuiltinCa(Message):
    ca_cert: _CaCert | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProvidedCa(Message):
    cert: DataSource | None = proto(number=1)
    key: DataSource | None = proto(number=2)


def _confs() -> Confs:
    """What the `conf` of a backend may hold. Types of plugins have other members."""
    return {
        CertificateAuthority: {"builtin": _BuiltinCa, "provided": _ProvidedCa},
        LoggingBackend: {"file": FileConf, "tcp": TcpConf},
        TracingBackend: {"zipkin": ZipkinConf, "datadog": DatadogConf},
        MetricsBackend: {PROMETHEUS: PrometheusConf},
    }


KIND: Final[Kind[Mesh]] = proto_kind(
    "Mesh", Mesh, violations, validate_change=change_violations, confs=_confs
)
