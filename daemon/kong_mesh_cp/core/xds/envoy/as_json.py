"""Envoy's messages as JSON."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, json_format

from kong_mesh_cp.core.xds.envoy.known_messages import KNOWN, message_class


def json_of_packed(packed: bytes) -> dict[str, Any]:
    """The message in a serialized `Any`, with all that is in it."""
    found = any_pb2.Any.FromString(packed)
    return json_of(message_class(found.TypeName()).FromString(found.value))


def json_of(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, descriptor_pool=KNOWN)
