"""MeshAccessLog: where proxies write what they forwarded, and in which form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.urls_and_paths import is_file_path, is_url
from kong_mesh_cp.core.policy.policy_kind import policy_kind
from kong_mesh_cp.core.policy.spec_parts.shapes import (
    DESTINATIONS,
    PROXIES,
    WHOLE_MESH_ONLY,
    RequiredEntries,
    RequiredRules,
    entries,
    inbound_warnings,
    rules,
    rules_or_lists,
    top,
    top_ref,
)
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.schema.record_terms import ABSENT_LIST, AnyJson, Length, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED, MUST_NOT_BE_EMPTY
from kong_mesh_cp.core.schema.violations import FieldPath, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """A member of a JSON line. An absent part is reported as an empty one is."""

    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of a log record; both parts may hold placeholders."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one line of the log is written: a text with placeholders, or a JSON object."""

    type: Annotated[str, OneOf(("Plain", "Json"))]
    plain: str | None = None
    json: tuple[KeyValue, ...] | None = None
    omit_empty_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A collector that takes the lines over plain TCP."""

    format: Format | None = None
    address: Annotated[str, Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file on the machine of the proxy."""

    format: Format | None = None
    path: Annotated[str, Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetry:
    """A collector that takes log records over gRPC."""

    attributes: tuple[Attribute, ...] | None = None
    body: AnyJson | None = None
    endpoint: Annotated[str, Length(minimum=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where the log goes; the member that `type` names holds the settings."""

    type: Annotated[str, OneOf(("Tcp", "File", "OpenTelemetry"))]
    tcp: Tcp | None = None
    file: File | None = None
    open_telemetry: OpenTelemetry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The access log of one direction of traffic; an empty list of backends turns it off."""

    # None and () differ: without the member the policy says nothing and is refused, with an empty
    # list it turns the log off for what it is about.
    backends: tuple[Backend, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAccessLog:
    """The spec of a MeshAccessLog."""

    target_ref: TargetRef | None = None
    to: RequiredEntries[Conf] = ABSENT_LIST
    from_: RequiredEntries[Conf] = ABSENT_LIST
    rules: RequiredRules[Conf] = ABSENT_LIST


# An inbound has one conf that `rules` and `from` both fill, so only one of them may be used; that
# is checked before the entries, as Kuma lists its texts in this order.
def _violations(spec: MeshAccessLog) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"), inbound=bool(spec.from_ or spec.rules))
    yield from rules_or_lists(spec)
    # A builtin gateway has no outbounds of its own: what leaves it follows from its routes, so the
    # log of a gateway can be about all of its traffic only.
    allowed = WHOLE_MESH_ONLY if top_ref(spec).kind == "MeshGateway" else DESTINATIONS
    yield from entries(spec.to, "to", allowed, _conf)
    # A listener has one access log for all clients: Envoy could not choose it by who calls.
    yield from entries(spec.from_, "from", WHOLE_MESH_ONLY, _conf)
    yield from rules(spec.rules, _conf)


def _conf(conf: Conf, default: FieldPath) -> Iterator[Violation]:
    at = default.field("backends")
    if conf.backends is None:
        yield at.violation(MUST_BE_DEFINED)
    for index, backend in enumerate(conf.backends or ()):
        yield from _backend(backend, at.index(index))


def _backend(backend: Backend, at: FieldPath) -> Iterator[Violation]:
    match backend:
        # The schema wants a text that is not empty; whether it is a path only this check knows. It
        # has no existence check: the file is on the machine of the proxy.
        case Backend(type="File", file=File() as file):
            yield from _format(file.format, at.field("file").field("format"))
            if not is_file_path(file.path):
                path = at.field("file").field("path")
                yield path.violation("file backend requires a valid path")
        # A host with a port is a URL to Kuma's check, scheme or not; a stricter one would refuse
        # manifests that work today.
        case Backend(type="Tcp", tcp=Tcp() as tcp):
            yield from _format(tcp.format, at.field("tcp").field("format"))
            if not is_url(tcp.address):
                address = at.field("tcp").field("address")
                yield address.violation("tcp backend requires valid address")
        case Backend(type="OpenTelemetry", open_telemetry=OpenTelemetry()):
            pass  # an address of gRPC has any form
        case _:
            # The type is fixed by the schema, hence only its member can be missing here. The member
            # is the type with a small first letter: `OpenTelemetry`, `openTelemetry`.
            name = backend.type[:1].lower() + backend.type[1:]
            yield at.field(name).violation(MUST_BE_DEFINED)


def _format(form: Format | None, at: FieldPath) -> Iterator[Violation]:
    if form is None:
        return
    # The other form is not looked at: a conf may hold both, and `type` says which one counts.
    if form.type == "Plain":
        if not form.plain:
            # Go's validator tells a nil pointer from a pointer to "", and has a text for each.
            reason = MUST_BE_DEFINED if form.plain is None else MUST_NOT_BE_EMPTY
            yield at.field("plain").violation(reason)
        return
    if not form.json:
        yield at.field("json").violation(
            MUST_BE_DEFINED if form.json is None else MUST_NOT_BE_EMPTY
        )
    for index, item in enumerate(form.json or ()):
        yield from _key_value(item, at.field("json").index(index))


def _key_value(item: KeyValue, at: FieldPath) -> Iterator[Violation]:
    if not item.key:
        yield at.field("key").violation("key cannot be empty")
    if not item.value:
        yield at.field("value").violation("value cannot be empty")
    # Envoy puts both between quotes as they are.
    if not _is_json(f'{{"{item.key}": "{item.value}"}}'):
        yield at.violation("is not a valid JSON object")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


KIND: Final = policy_kind("MeshAccessLog", MeshAccessLog, Conf, _violations, inbound_warnings)
