"""From the body of `POST /v1/admissions` to an `AdmissionRequest`, or to every violation in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

from kong_mesh_cp.core.admission.counting import gateway_kind
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.meta import (
    CANNOT_BE_EMPTY,
    MESH_CHARACTERS,
    NAME_CHARACTERS,
    NAME_CHARACTERS_MAX,
    NAME_LENGTH,
)
from kong_mesh_cp.core.schema.violations import Violation

MESH_CHARACTERS_MAX = 63
TAGS_MAX = 64  # in one set
TAG_CHARACTERS_MAX = 256  # of a tag's name, and of its value
FIELDS_MAX = 16  # of the short form; more are not looked at one by one
FIELD_CHARACTERS_SHOWN = 64  # of a name in a violation

Tags = Mapping[str, str]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MESH = re.compile(r"[0-9a-z._-]+")
_TAG_NAME = re.compile(rf"[a-zA-Z0-9.\-_:/]{{1,{TAG_CHARACTERS_MAX}}}")
_TAG_VALUE = re.compile(rf"[a-zA-Z0-9.\-_:]{{1,{TAG_CHARACTERS_MAX}}}")

_SHORT_FORM = frozenset({"mesh", "name", "tags"})
# Who asks is known from the kernel. What a client says of itself is ignored.
_IGNORED = frozenset({"pid", "uid", "gid", "unit"})

_NOT_A_STRING = "must be a string"
_NOT_AN_OBJECT = "must be an object"
_TAGNAME_CHARACTERS = (
    "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"
)
_TAG_VALUE_REASON = (
    "tag value must consist of alphanumeric characters, dots, dashes and underscores"
)


class AdmissionRequest(NamedTuple):
    """Who wants to join what, as the request says. Nothing in it is proof of anything."""

    mesh: str
    name: str
    kind: ProxyKind
    tag_sets: tuple[Tags, ...]  # the short form has one; a Dataplane one per inbound and gateway
    resource: Mapping[str, object] | None = None  # the Dataplane to register, as it came


@dataclass(frozen=True, slots=True)
class InvalidRequest:
    """Every violation of a body that is no request."""

    violations: tuple[Violation, ...]
    of_dataplane: bool  # found in a Dataplane resource: paths are relative to it


def parse(document: object) -> AdmissionRequest | InvalidRequest:
    """Read `{mesh, name, tags?}` or `{"dataplane": {…}}` from decoded JSON. Takes any value."""
    if not _is_object(document):
        return InvalidRequest(
            (Violation("", "the body must be a JSON object"),), of_dataplane=False
        )
    if "dataplane" in document:
        return _parse_dataplane_form(document)
    return _parse_short_form(document)


def _parse_short_form(document: Mapping[str, object]) -> AdmissionRequest | InvalidRequest:
    violations = _unknown_fields(document, _SHORT_FORM)
    mesh = _mesh(document, violations)
    name = _name(document, violations)
    tags = _tags(document.get("tags"), "tags", violations)
    if violations:
        return InvalidRequest(tuple(violations), of_dataplane=False)
    return AdmissionRequest(mesh, name, ProxyKind.SIDECAR, (tags,))


def _parse_dataplane_form(document: Mapping[str, object]) -> AdmissionRequest | InvalidRequest:
    violations = _unknown_fields(document, frozenset({"dataplane"}))
    if violations:
        return InvalidRequest(tuple(violations), of_dataplane=False)
    resource = document["dataplane"]
    if not _is_object(resource):
        violations.append(Violation("dataplane", _NOT_AN_OBJECT))
        return InvalidRequest(tuple(violations), of_dataplane=False)
    if resource.get("type") != "Dataplane":
        violations.append(Violation("type", 'must be "Dataplane"'))
    mesh = _mesh(resource, violations)
    name = _name(resource, violations)
    kind, tag_sets = _networking(resource.get("networking"), violations)
    if violations:
        return InvalidRequest(tuple(violations), of_dataplane=True)
    return AdmissionRequest(mesh, name, kind, tag_sets, resource)


def _unknown_fields(document: Mapping[str, object], known: frozenset[str]) -> list[Violation]:
    if document.keys() <= known:
        return []
    unknown = document.keys() - known - _IGNORED
    if len(unknown) > FIELDS_MAX:
        return [Violation("", f"{len(unknown)} unknown fields; known are {_listed(known)}")]
    reason = f"unknown field; known are {_listed(known)}"
    return [Violation(_shortened(field), reason) for field in sorted(unknown)]


def _shortened(field: str) -> str:
    """A field name of the client's, for an answer that does not grow with it."""
    return field if len(field) <= FIELD_CHARACTERS_SHOWN else field[:FIELD_CHARACTERS_SHOWN] + "…"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _name(document: Mapping[str, object], violations: list[Violation]) -> str:
    value = _required_string(document, "name", violations)
    if len(value) > NAME_CHARACTERS_MAX:
        violations.append(Violation("name", NAME_LENGTH))
    elif not _NAME.fullmatch(value) and value:
        violations.append(Violation("name", NAME_CHARACTERS))
    return value


def _mesh(document: Mapping[str, object], violations: list[Violation]) -> str:
    value = _required_string(document, "mesh", violations)
    if len(value) > MESH_CHARACTERS_MAX:
        reason = f"cannot be longer than {MESH_CHARACTERS_MAX} characters"
        violations.append(Violation("mesh", reason))
    elif not _MESH.fullmatch(value) and value:
        violations.append(Violation("mesh", MESH_CHARACTERS))
    return value


def _required_string(
    document: Mapping[str, object], field: str, violations: list[Violation]
) -> str:
    value = document.get(field)
    if isinstance(value, str) and value:
        return value
    violations.append(Violation(field, CANNOT_BE_EMPTY if value in (None, "") else _NOT_A_STRING))
    return ""


def _tags(value: object, path: str, violations: list[Violation]) -> Tags:
    if value is None:
        return {}
    if not _is_object(value):
        violations.append(Violation(path, "must be an object of strings"))
        return {}
    if len(value) > TAGS_MAX:
        violations.append(Violation(path, f"cannot hold more than {TAGS_MAX} tags"))
        return {}
    tags: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str):
            violations.append(Violation(_tag_path(path, name), "tag value must be a string"))
        elif _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(text):
            tags[name] = text
        else:
            violations.append(Violation(_tag_path(path, name), _tag_reason(name, text)))
    return tags


def _tag_path(path: str, name: str) -> str:
    return f'{path}["{_shortened(name)}"]'


def _tag_reason(name: str, value: str) -> str:
    if not name:
        return "tag name must be non-empty"
    if not value:
        return "tag value must be non-empty"
    if max(len(name), len(value)) > TAG_CHARACTERS_MAX:
        return f"tag name and value cannot be longer than {TAG_CHARACTERS_MAX} characters"
    return _TAG_VALUE_REASON if _TAG_NAME.fullmatch(name) else _TAGNAME_CHARACTERS


def _networking(
    networking: object, violations: list[Violation]
) -> tuple[ProxyKind, tuple[Tags, ...]]:
    """The part of a Dataplane that decides its kind, and the tags it would carry."""
    if networking is None:
        violations.append(Violation("networking", "must be defined"))
        return ProxyKind.SIDECAR, ()
    if not _is_object(networking):
        violations.append(Violation("networking", _NOT_AN_OBJECT))
        return ProxyKind.SIDECAR, ()
    inbound = _inbound(networking.get("inbound"), violations)
    gateway = networking.get("gateway")
    if gateway is None:
        if not inbound:
            reason = "has to contain at least one inbound interface or gateway"
            violations.append(Violation("networking", reason))
        return ProxyKind.SIDECAR, inbound
    kind, tags = _gateway(gateway, violations)
    if inbound:
        # A proxy that serves inbounds is a sidecar, whatever else it calls itself: else adding
        # a gateway section would make any proxy uncounted.
        word = "builtin" if kind is ProxyKind.BUILTIN_GATEWAY else "delegated"
        reason = f"inbound cannot be defined for {word} gateways"
        violations.append(Violation("networking.inbound", reason))
    return kind, (tags,)


def _inbound(inbound: object, violations: list[Violation]) -> tuple[Tags, ...]:
    if inbound is None:
        return ()
    if not isinstance(inbound, Sequence) or isinstance(inbound, str):
        violations.append(Violation("networking.inbound", "must be an array"))
        return ()
    return tuple(
        _inbound_tags(interface, f"networking.inbound[{index}]", violations)
        for index, interface in enumerate(inbound)
    )


def _inbound_tags(interface: object, path: str, violations: list[Violation]) -> Tags:
    if not _is_object(interface):
        violations.append(Violation(path, _NOT_AN_OBJECT))
        return {}
    return _tags(interface.get("tags"), f"{path}.tags", violations)


def _gateway(gateway: object, violations: list[Violation]) -> tuple[ProxyKind, Tags]:
    if not _is_object(gateway):
        violations.append(Violation("networking.gateway", _NOT_AN_OBJECT))
        return ProxyKind.SIDECAR, {}
    kind = gateway_kind(gateway.get("type"))
    if kind is None:
        reason = 'unknown gateway type. Available types: "DELEGATED", "BUILTIN"'
        violations.append(Violation("networking.gateway.type", reason))
        kind = ProxyKind.SIDECAR
    return kind, _tags(gateway.get("tags"), "networking.gateway.tags", violations)


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    # JSON gives string keys only, so the keys need no look.
    return isinstance(value, dict)
