"""Resources in the binary form in which control planes send them to each other.

The specs of older types are messages, those of newer ones their JSON; so is the status.

Source: docs/wire/zone-sync.md#resources
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.messages import Message, read_message, write_message
from kong_mesh_cp.core.schema.wire_format import BinaryError
from kong_mesh_cp.core.zone_sync.directions import CONFIG, GLOBAL_SECRET, SECRET
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.core.zone_sync.wire_messages import AnyMessage, KumaResource, KumaResourceMeta

TYPE_URL: Final = "type.googleapis.com/kuma.mesh.v1alpha1.KumaResource"

_PREFIX: Final = "type.googleapis.com/"
_SYSTEM: Final = {
    CONFIG: "kuma.system.v1alpha1.Config",
    SECRET: "kuma.system.v1alpha1.Secret",
    GLOBAL_SECRET: "kuma.system.v1alpha1.Secret",
}


class NoResourceError(Exception):
    """Bytes that are no resource of the type; the text says why, without a full stop."""


def packed(resource: SyncedResource, message_type: type[Message] | None) -> bytes:
    """The serialized `google.protobuf.Any`. `message_type`: of the spec; None, it is JSON.

    Raises: BinaryError, ParseError for a spec that has no binary form.
    """
    key = resource.key
    meta = KumaResourceMeta(name=key.name, mesh=key.mesh, labels=resource.labels)
    status = resource.status
    if status is None and TYPES[key.type].has_status:
        status = {}  # as Go marshals the one that it has for every resource of such a type
    return _wrapped(
        KumaResource(
            meta=meta,
            spec=_spec(key.type, resource.spec, message_type),
            status=None if status is None else AnyMessage(value=_text(status)),
        )
    )


def unpacked(
    type_name: str, data: AnyMessage, message_type: type[Message] | None
) -> SyncedResource:
    """Raises: NoResourceError."""
    try:
        read = decode(KumaResource, data.value)
        meta = read.meta or KumaResourceMeta()
        value = b"" if read.spec is None else read.spec.value
        if message_type is None:
            spec = _object(value)
        else:
            spec = write_message(decode(message_type, value))
        status = None
        if read.status is not None:
            status = _object(read.status.value)
    except BinaryError as error:
        raise NoResourceError(f"{error}") from None
    return SyncedResource(
        key=ResourceKey(type_name, meta.mesh if TYPES[type_name].is_mesh_scoped else "", meta.name),
        spec=spec,
        labels=dict(meta.labels),
        status=status,
    )


def renamed(data: bytes, name: str) -> bytes:
    """The packed resource `data` under another name."""
    read = decode(KumaResource, decode(AnyMessage, data).value)
    meta = read.meta or KumaResourceMeta()
    return _wrapped(replace(read, meta=replace(meta, name=name)))


def _wrapped(resource: KumaResource) -> bytes:
    return encode(AnyMessage(type_url=TYPE_URL, value=encode(resource)))


def _spec(type_name: str, spec: JsonObject, message_type: type[Message] | None) -> AnyMessage:
    if message_type is None:
        return AnyMessage(value=_text(spec))
    full_name = _SYSTEM.get(type_name, f"kuma.mesh.v1alpha1.{type_name}")
    return AnyMessage(
        type_url=f"{_PREFIX}{full_name}", value=encode(read_message(message_type, spec))
    )


def _text(document: JsonObject) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _object(data: bytes) -> JsonObject:
    """Go marshals what is not there as nothing, or as null."""
    if not data:
        return {}
    try:
        document = parse(data)
    except (StrictJsonError, UnicodeError) as error:
        raise NoResourceError(f"its JSON is none: {error}") from None
    if document is None:
        return {}
    if not is_object(document):
        raise NoResourceError("its JSON is no object")
    return document
