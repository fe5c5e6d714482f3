"""Envoy's messages as JSON."""

from __future__ import annotations

from typing import Any, cast

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory

from kong_mesh_cp.core.xds.envoy.kafka import KnownMessages


def json_of_packed(packed: bytes) -> dict[str, Any]:
    """The message in a serialized `Any`, with all that is in it."""
    known = cast("descriptor_pool.DescriptorPool", KnownMessages())
    found = any_pb2.Any.FromString(packed)
    name = found.type_url.rpartition("/")[2]
    descriptor = known.FindMessageTypeByName(name)
    message = message_factory.GetMessageClass(descriptor).FromString(found.value)
    return json_format.MessageToDict(message, descriptor_pool=known)
