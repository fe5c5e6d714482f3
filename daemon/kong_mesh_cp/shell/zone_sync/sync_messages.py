"""Requests and responses of the two streams in binary form, in both directions.

Responses are written around the packed resources, which all streams share.

Source: docs/wire/zone-sync.md#messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.exchanges import WILDCARD, Request, Response
from kong_mesh_cp.core.formats.go.go_values import is_object
from kong_mesh_cp.core.resources.kinds.subscriptions import KumaCpVersion
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.wire_format import LENGTH, BinaryError, tag, varint, with_length
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AnyMessage,
    ControlPlaneName,
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    Node,
    RpcStatus,
)
from kong_mesh_cp.usecases.zone_sync.sync_ports import Asked, PeerTold, Told

ERROR_CHARACTERS_MAX: Final = 16_384  # of a refusal that comes in
CONFIG_CHARACTERS_MAX: Final = 256 * 1024  # of the configuration that a zone tells
NAME_CHARACTERS_MAX: Final = 256  # of a control plane, and of each part of its version
FEATURES_MAX: Final = 64  # of as many characters each


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNode:
    """What this control plane says of itself with its first requests."""

    id: str  # the zone's name, whoever speaks
    instance: str
    version: KumaCpVersion
    config: str
    features: Sequence[str]

    def metadata(self) -> Mapping[str, object]:
        version = self.version
        return {
            "version": {
                "kumaCp": {
                    "version": version.version,
                    "gitTag": version.git_tag,
                    "gitCommit": version.git_commit,
                    "buildDate": version.build_date,
                }
            },
            "control-plane-id": self.instance,
            "config": self.config,
            "features": list(self.features),
        }


def read_request(message: bytes) -> Asked:
    """Raises: BinaryError."""
    read = decode(DeltaDiscoveryRequest, message)
    refusal = read.error_detail
    metadata = None if read.node is None else read.node.metadata
    request = Request(
        type_url=read.type_url,
        nonce=read.response_nonce,
        refused=refusal is not None,
        error="" if refusal is None else refusal.message[:ERROR_CHARACTERS_MAX],
        subscribe=read.resource_names_subscribe,
        unsubscribe=read.resource_names_unsubscribe,
        initial=dict(read.initial_resource_versions),
    )
    return Asked(None if metadata is None else _peer(metadata), request)


def first_request(node: OwnNode, type_name: str) -> bytes:
    """Asks for all of a type."""
    return encode(
        DeltaDiscoveryRequest(
            node=Node(id=node.id, metadata=node.metadata()),
            type_url=type_name,
            resource_names_subscribe=(WILDCARD,),
        )
    )


def answering_request(node: OwnNode, told: Told, refusal: str) -> bytes:
    """`refusal` empty: all of it was taken."""
    return encode(
        DeltaDiscoveryRequest(
            node=Node(id=node.id),
            type_url=told.type,
            response_nonce=told.nonce,
            resource_names_subscribe=(WILDCARD,) if refusal else (),
            error_detail=RpcStatus(message=refusal) if refusal else None,
        )
    )


def read_response(message: bytes) -> Told:
    """Raises: BinaryError."""
    read = decode(DeltaDiscoveryResponse, message)
    return Told(
        type=read.type_url,
        nonce=read.nonce,
        identifier=(read.control_plane or ControlPlaneName()).identifier,
        resources=tuple(each.resource or AnyMessage() for each in read.resources),
        removed=read.removed_resources,
    )


def response_bytes(response: Response, identifier: str) -> bytes:
    """`identifier`: who sends it. Names of resources are in themselves, and not beside them."""
    return b"".join(
        (
            *_resources(response),
            *_text(4, response.type_url),
            *_text(5, response.nonce),
            *(each for name in response.removed for each in _text(6, name)),
            tag(7, LENGTH),
            with_length(encode(ControlPlaneName(identifier=identifier))),
        )
    )


def _resources(response: Response) -> Iterator[bytes]:
    key = tag(2, LENGTH)
    for each in response.resources:
        version = b"".join(_text(1, each.version))
        head = version + tag(2, LENGTH) + varint(len(each.packed))
        yield key + varint(len(head) + len(each.packed)) + head
        yield each.packed


def _text(number: int, text: str) -> Iterator[bytes]:
    if text:
        yield tag(number, LENGTH)
        yield with_length(text.encode())


def _peer(metadata: Mapping[str, object]) -> PeerTold:
    features = metadata.get("features")
    listed = features[:FEATURES_MAX] if isinstance(features, list) else []
    return PeerTold(
        features=frozenset(
            each for each in listed if isinstance(each, str) and len(each) <= NAME_CHARACTERS_MAX
        ),
        instance=_string(metadata, "control-plane-id"),
        version=_version(metadata.get("version")),
        config=_string(metadata, "config", CONFIG_CHARACTERS_MAX),
    )


def _version(value: object) -> KumaCpVersion:
    told = value.get("kumaCp") if is_object(value) else None
    if not is_object(told):
        return KumaCpVersion()
    return KumaCpVersion(
        version=_string(told, "version"),
        git_tag=_string(told, "gitTag"),
        git_commit=_string(told, "gitCommit"),
        build_date=_string(told, "buildDate"),
    )


def _string(
    members: Mapping[str, object], name: str, characters_max: int = NAME_CHARACTERS_MAX
) -> str:
    """Without what is beyond `characters_max`: it is stored, and written to the log."""
    value = members.get(name)
    return value[:characters_max] if isinstance(value, str) else ""


__all__ = [
    "BinaryError",
    "OwnNode",
    "answering_request",
    "first_request",
    "read_request",
    "read_response",
    "response_bytes",
]
