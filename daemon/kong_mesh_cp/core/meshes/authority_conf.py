"""The `conf` of a mesh's authorities: what each type of backend reads out of it.

Source: docs/wire/meshes.md#changes, docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

from typing import TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority
from kong_mesh_cp.core.schema.messages import Message, Uint32, proto, read_message
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaCert(Message):
    """What is asked of a certificate that is made here. 0 and "": the default."""

    rsa_bits: Uint32 | None = proto(number=1, json="RSAbits")
    expiration: str = proto("", number=2)  # `10y`: see `core/formats/expirations`


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinConf(Message):
    """Of an authority that is made here."""

    ca_cert: CaCert | None = proto(number=1)

    @property
    def certificate(self) -> CaCert:
        return self.ca_cert or CaCert()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidedConf(Message):
    """Of an authority that somebody else has made."""

    cert: DataSource | None = proto(number=1)
    key: DataSource | None = proto(number=2)


def readable_conf(conf_type: type[M], backend: CertificateAuthority) -> M:
    """An empty one where it cannot be read: an older release let such pass."""
    try:
        return read_message(conf_type, backend.conf)
    except ParseError:
        return conf_type()


def provided_sources(
    backend: CertificateAuthority, at: FieldPath
) -> tuple[DataSource, DataSource] | list[Violation]:
    """Where certificate and key of `backend`, whose conf stands at `at`, are to be had; what is
    wrong with the two, if anything is.
    """
    conf = _read(ProvidedConf, backend, at)
    if isinstance(conf, Violation):
        return [conf]
    found = [*_source(conf.cert, at.field("cert")), *_source(conf.key, at.field("key"))]
    if found or conf.cert is None or conf.key is None:
        return found
    return conf.cert, conf.key


def conf_violations(backend: CertificateAuthority, at: FieldPath) -> list[Violation]:
    """Why the conf of a backend of the type builtin, which stands at `at`, cannot be read."""
    conf = _read(BuiltinConf, backend, at)
    return [conf] if isinstance(conf, Violation) else []


def _read(conf_type: type[M], backend: CertificateAuthority, at: FieldPath) -> M | Violation:
    try:
        return read_message(conf_type, backend.conf)
    except ParseError as error:
        return at.violation(f"could not convert backend config: {error.reason}")


def _source(source: DataSource | None, at: FieldPath) -> list[Violation]:
    if source is None:
        return [at.violation("has to be defined")]
    named = {"secret": source.secret, "file": source.file, "inline": source.inline}
    chosen = {name: value for name, value in named.items() if value is not None}
    if source.inline_string is None and not chosen:
        reason = "data source has to be chosen. Available sources: secret, file, inline"
        return [at.violation(reason)]
    return [at.field(name).violation("cannot be empty") for name in chosen if not chosen[name]]
