"""Kinds whose spec lies under `spec` and is checked by a schema before anything else.

Source: docs/wire/resource-api.md#resource-json, docs/wire/resource-api.md#schemas
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Annotated, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject
from kong_mesh_cp.core.resources import registry
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.record_faults import EnoughFaultsError, Faults
from kong_mesh_cp.core.schema.record_terms import Format
from kong_mesh_cp.core.schema.violations import ROOT, VIOLATIONS_MAX, FieldPath, Violation, root

S = TypeVar("S")

Instant = Annotated[str, Format("date-time")]


# Checked by the same schema as the spec in Kuma, hence the types of the meta's members are reported
# together with the spec's.
@dataclass(frozen=True, slots=True, kw_only=True)
class _GlobalEnvelope:
    type: str
    name: str
    labels: Mapping[str, str] | None = None
    creation_time: Instant | None = None
    modification_time: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope(_GlobalEnvelope):
    # The default is applied before the URL is compared with the body.
    mesh: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginKind(Kind[S]):
    """The dataclasses that are the schemas of spec and status."""

    spec_type: type[S]
    status_type: type[object] | None


def plugin_kind(
    name: str,
    spec_type: type[S],
    violations: Callable[[S], Iterable[Violation]] = lambda _spec: (),
    warnings: Callable[[S], Iterable[str]] = lambda _spec: (),
    *,
    name_violations: Callable[[str, str], Iterable[Violation]] = lambda _name, _display_name: (),
    status_type: type[object] | None = None,
) -> PluginKind[S]:
    """A kind whose spec is the frozen dataclass `spec_type`; so is its status, if it has one."""

    def parse(document: JsonObject) -> S:
        def read(faults: Faults) -> S:
            spec = read_document(name, spec_type, document, faults)
            if status_type is not None and "status" in document:
                # Only checked: a client that sends back what it got must not fail, but what it says
                # of a status is not stored.
                records.read(status_type, document["status"], root("status"), faults)
            return spec

        return _sound(read)

    return PluginKind(
        type=name,
        spec_type=spec_type,
        status_type=status_type,
        parse=parse,
        # One more than is shown: a spec of many entries could have very many, and the answer is
        # bounded.
        validate=lambda spec: tuple(islice(violations(spec), VIOLATIONS_MAX + 1)),
        render=lambda spec: {"spec": records.render(spec)},
        warnings=lambda spec: tuple(warnings(spec)),
        validate_name=lambda *names: tuple(name_violations(*names)),
        parse_status=_status_reader(status_type) if status_type else None,
        render_status=records.render if status_type else None,
    )


def _status_reader(status_type: type[object]) -> Callable[[JsonObject], object]:
    def parse_status(document: JsonObject) -> object:
        given = document.get("status", {})
        return _sound(lambda faults: records.read(status_type, given, root("status"), faults))

    return parse_status


def read_document(name: str, spec_type: type[S], document: JsonObject, faults: Faults) -> S:
    """The spec in a whole body; with faults it is what Go would have made of it."""
    # The meta first, since its faults come first in Kuma's answer.
    row = registry.TYPES.get(name)
    is_global = row is not None and not row.is_mesh_scoped  # a mesh would mean nothing
    records.read(_GlobalEnvelope if is_global else _Envelope, document, ROOT, faults)
    if "type" in document and document["type"] != name:
        faults.add(FieldPath("type"), f"in body should be one of [{name}]")
    at = root("spec")
    if "spec" not in document:
        faults.add(ROOT.missing("spec"), "in body is required")
        # What an empty one would lack, too, is not asked for.
        return records.read(spec_type, {}, at, Faults())
    return records.read(spec_type, document["spec"], at, faults)


def _sound(read: Callable[[Faults], S]) -> S:
    """What `read` gives without faults. Raises: InvalidResourceError, ParseError."""
    faults = Faults()
    try:
        value = read(faults)
    except EnoughFaultsError:
        raise InvalidResourceError(faults.violations) from None
    # The schema speaks before the decoder: Kuma's API server validates the JSON, then decodes it.
    if faults.violations:
        raise InvalidResourceError(faults.violations)
    if faults.stopped is not None:
        raise faults.stopped
    return value
