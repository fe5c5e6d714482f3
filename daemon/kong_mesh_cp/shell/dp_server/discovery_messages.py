"""Messages of `envoy.service.discovery.v3` in binary form: requests in, responses out.

Requests are read by protobuf. Responses are written by hand around the resources' bytes, which all
streams share: protobuf would parse each resource to copy it (measured for 100 resources of 2 KB:
by hand 0.1 ms, by protobuf 0.2 ms).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, Received

if TYPE_CHECKING:
    from envoy.service.discovery.v3 import discovery_pb2
    from google.protobuf import message as protobuf_message
else:
    discovery_pb2 = lazy_import("envoy.service.discovery.v3.discovery_pb2")
    protobuf_message = lazy_import("google.protobuf.message")

MESSAGE_BYTES_MAX: Final = 8 << 20  # of a request; metadata of 1 MB is no reason to refuse one
ERROR_CHARACTERS_MAX: Final = 16_384  # of a refusal; Envoy quotes whole resources in them

HEADS_KEPT: Final = 2048  # of fields, a hundred bytes each: all streams have the same resources

_LENGTH_DELIMITED: Final = 2  # wire type


class SotwCodec:
    """DiscoveryRequest and DiscoveryResponse."""

    def __init__(self, identifier: str) -> None:
        """`identifier`: of this control plane, as Envoy shows it."""
        self._control_plane = _field(6, _field(1, identifier.encode()))

    def decode(self, message: bytes) -> Received:
        """Raises: ValueError for what is no request."""
        read = parsed(discovery_pb2.DiscoveryRequest(), message)
        return _received(read, names=tuple(read.resource_names), version=read.version_info)

    def encode(self, response: Response) -> bytes:
        """The message; resources in the order given."""
        return b"".join(
            (
                _text(1, response.version),
                *_spliced(2, (each.packed for each in response.resources)),
                _text(4, response.type_url),
                _text(5, response.nonce),
                self._control_plane,
            )
        )


class DeltaCodec:
    """DeltaDiscoveryRequest and DeltaDiscoveryResponse."""

    def __init__(self, identifier: str) -> None:
        """`identifier`: of this control plane, as Envoy shows it."""
        self._control_plane = _field(7, _field(1, identifier.encode()))

    def decode(self, message: bytes) -> Received:
        """Raises: ValueError for what is no request."""
        read = parsed(discovery_pb2.DeltaDiscoveryRequest(), message)
        return _received(
            read,
            subscribe=tuple(read.resource_names_subscribe),
            unsubscribe=tuple(read.resource_names_unsubscribe),
            initial=dict(read.initial_resource_versions),
        )

    def encode(self, response: Response) -> bytes:
        """The message; resources in the order given."""
        resources = (
            b"".join((_text(1, each.version), _field(2, each.packed), _text(3, each.name)))
            for each in response.resources
        )
        return b"".join(
            (
                _text(1, response.version),
                *_spliced(2, resources),
                _text(4, response.type_url),
                _text(5, response.nonce),
                *(_text(6, name) for name in response.removed),
                self._control_plane,
            )
        )


def node_of(node: Any) -> NodeTold:
    """`envoy.config.core.v3.Node`. Raises: ValueError where its metadata is no JSON."""
    return NodeTold(node.id, _object(node.metadata))


def _received(read: Any, **asked: Any) -> Received:
    """`asked`: what only this variant says."""
    refused = read.HasField("error_detail")
    request = Request(
        type_url=read.type_url,
        nonce=read.response_nonce,
        refused=refused,
        error=read.error_detail.message[:ERROR_CHARACTERS_MAX] if refused else "",
        **asked,
    )
    return Received(node_of(read.node) if read.HasField("node") else None, request)


def parsed(empty: Any, message: bytes) -> Any:
    """`message` read into `empty`. Raises: ValueError.

    Protobuf bounds the depth of what it reads (100 messages, 33 objects of JSON).
    """
    if len(message) > MESSAGE_BYTES_MAX:
        raise ValueError(f"it has {len(message)} bytes, and may have {MESSAGE_BYTES_MAX}")
    try:
        empty.ParseFromString(message)
    except protobuf_message.DecodeError as error:
        raise ValueError(str(error)) from None
    return empty


def _object(struct: Any) -> Mapping[str, object]:
    return {key: _json(value) for key, value in struct.fields.items()}


def _json(value: Any) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            return _number(value.number_value)
        case "struct_value":
            return _object(value.struct_value)
        case "list_value":
            return [_json(each) for each in value.list_value.values]
        case _:
            return None


def _number(number: float) -> float:
    """A whole one as an integer, as in the JSON that it was made from."""
    if number - number != 0:
        raise ValueError("its metadata has a number that is none in JSON")
    return int(number) if number.is_integer() else number


def _text(number: int, text: str) -> bytes:
    """A field of a message of proto3, which leaves out empty ones."""
    return _field(number, text.encode()) if text else b""


def _field(number: int, content: bytes) -> bytes:
    return _head(number, len(content)) + content


def _spliced(number: int, contents: Iterable[bytes]) -> Iterable[bytes]:
    """As `_field` of each, without copying any."""
    for content in contents:
        yield _head(number, len(content))
        yield content


@lru_cache(maxsize=HEADS_KEPT)
def _head(number: int, length: int) -> bytes:
    """Of a field with so many bytes."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
