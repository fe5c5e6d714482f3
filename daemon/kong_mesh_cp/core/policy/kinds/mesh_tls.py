"""MeshTLS: which TLS a proxy speaks on its inbounds, and whether it takes plain text too."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    SPEC,
    WHOLE_MESH_ONLY,
    Entries,
    Rules,
    entries,
    inbound_warnings,
    rules,
    top,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.tls_versions import TlsVersion, version_violations
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, OneOf
from kong_mesh_cp.core.schema.value_checks import must_be_one_of
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

MODES: Final = ("Permissive", "Strict")
# The ciphers of TLS 1.2 that Kuma lets one choose from; those of TLS 1.3 cannot be chosen.
CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """Whether plain traffic is let in, and which versions and ciphers TLS uses."""

    tls_version: TlsVersion | None = None
    tls_ciphers: tuple[Annotated[str, OneOf(CIPHERS)], ...] | None = None
    mode: Annotated[str, OneOf(MODES)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTls:
    """The spec of a MeshTLS."""

    target_ref: TargetRef | None = None
    from_: Entries[Conf] = ABSENT_LIST
    rules: Rules[Conf] = ABSENT_LIST


def _violations(spec: MeshTls) -> Iterator[Violation]:
    inbound = bool(spec.from_ or spec.rules)
    # No gateways: their listeners have TLS settings of their own.
    yield from top(spec, ("Mesh", "MeshSubset", "Dataplane"), inbound=inbound)
    # Not `rules_alone`: this policy has no `to`, and its text does not name one.
    if spec.rules and spec.from_:
        yield SPEC.violation("field 'from' must be empty when 'rules' is defined")
    check = partial(_conf, whole_mesh=top_ref(spec).kind == "Mesh")
    yield from rules(spec.rules, check)
    yield from entries(spec.from_, "from", WHOLE_MESH_ONLY, check)


def _conf(conf: Conf, at: FieldPath, *, whole_mesh: bool) -> Iterator[Violation]:
    if conf.mode is not None and conf.mode not in MODES:
        # This text has the modes in the order of their strictness.
        yield at.field("mode").violation(must_be_one_of("mode", ("Strict", "Permissive")))
    ciphers = at.field("tlsCiphers")
    # Both ends of a connection have to agree, and clients take their versions and ciphers from the
    # policies of the mesh as a whole. The mode is a matter of the server alone.
    if conf.tls_ciphers and not whole_mesh:
        yield ciphers.violation(_only_for_whole_mesh("tlsCiphers"))
    elif not set(conf.tls_ciphers or ()) <= set(CIPHERS):
        yield ciphers.violation(must_be_one_of("tlsCiphers", CIPHERS))
    version = at.field("tlsVersion")
    if conf.tls_version is not None and not whole_mesh:
        yield version.violation(_only_for_whole_mesh("tlsVersion"))
    elif conf.tls_version is not None:
        yield from version_violations(conf.tls_version, version)


def _only_for_whole_mesh(name: str) -> str:
    return f"{name} can only be defined with top level targetRef kind: Mesh"


KIND: Final = policy_kind("MeshTLS", MeshTls, Conf, _violations, inbound_warnings)
