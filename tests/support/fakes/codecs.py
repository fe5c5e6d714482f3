"""Discovery messages in their binary form, as Envoy's own classes write them."""

from __future__ import annotations

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold, Received


class SotwCodec:
    """A `Codec` of the state of the world."""

    def decode(self, message: bytes) -> Received:
        try:
            told = DiscoveryRequest.FromString(message)
        except DecodeError as error:
            raise ValueError(str(error)) from None
        request = Request(
            type_url=told.type_url,
            nonce=told.response_nonce,
            version=told.version_info,
            names=tuple(told.resource_names),
            refused=told.HasField("error_detail"),
            error=told.error_detail.message,
        )
        if not told.HasField("node"):
            return Received(None, request)
        return Received(NodeTold(told.node.id, MessageToDict(told.node.metadata)), request)

    def encode(self, response: Response) -> bytes:
        made = DiscoveryResponse(
            type_url=response.type_url, version_info=response.version, nonce=response.nonce
        )
        made.resources.extend(AnyMessage.FromString(each.packed) for each in response.resources)
        message: bytes = made.SerializeToString()
        return message
