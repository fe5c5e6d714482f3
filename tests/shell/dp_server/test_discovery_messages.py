"""Discovery messages against protobuf's own classes."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.discovery.exchanges import Response
from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.shell.dp_server.discovery_messages import (
    MESSAGE_BYTES_MAX,
    DeltaCodec,
    SotwCodec,
)

TEXTS = st.text(max_size=300)
RESOURCES = st.lists(
    st.builds(
        lambda name, url, value: Resource.of(
            name, any_pb2.Any(type_url=url, value=value).SerializeToString()
        ),
        TEXTS,
        TEXTS,
        st.binary(max_size=300),
    ),
    max_size=5,
).map(tuple)
RESPONSES = st.builds(
    Response, TEXTS, TEXTS, TEXTS, RESOURCES, st.lists(TEXTS.filter(bool), max_size=3).map(tuple)
)


def packed(response: Response) -> list[any_pb2.Any]:
    return [any_pb2.Any.FromString(each.packed) for each in response.resources]


@given(RESPONSES)
def test_a_response_is_what_protobuf_would_write(response: Response) -> None:
    written = SotwCodec("here").encode(response)

    expected = discovery_pb2.DiscoveryResponse(
        version_info=response.version,
        resources=packed(response),
        type_url=response.type_url,
        nonce=response.nonce,
        control_plane={"identifier": "here"},
    )
    assert written == expected.SerializeToString(deterministic=True)


@given(RESPONSES)
def test_a_delta_response_is_what_protobuf_would_write(response: Response) -> None:
    written = DeltaCodec("here").encode(response)

    expected = discovery_pb2.DeltaDiscoveryResponse(
        system_version_info=response.version,
        resources=[
            discovery_pb2.Resource(name=each.name, version=each.version, resource=any_)
            for each, any_ in zip(response.resources, packed(response), strict=True)
        ],
        removed_resources=response.removed,
        type_url=response.type_url,
        nonce=response.nonce,
        control_plane={"identifier": "here"},
    )
    assert discovery_pb2.DeltaDiscoveryResponse.FromString(written) == expected


@given(TEXTS, TEXTS, TEXTS, st.lists(TEXTS).map(tuple), st.none() | TEXTS)
def test_a_request_is_read_whole(
    url: str, version: str, nonce: str, names: tuple[str, ...], error: str | None
) -> None:
    sent = discovery_pb2.DiscoveryRequest(
        type_url=url, version_info=version, response_nonce=nonce, resource_names=names
    )
    if error is not None:
        sent.error_detail.message = error
        sent.error_detail.code = 13

    node, request = SotwCodec("here").decode(sent.SerializeToString())

    assert node is None
    assert (request.type_url, request.version, request.nonce) == (url, version, nonce)
    assert request.names == names
    assert (request.refused, request.error) == (error is not None, error or "")


def test_a_delta_request_is_read_whole() -> None:
    sent = discovery_pb2.DeltaDiscoveryRequest(
        type_url="t",
        resource_names_subscribe=["a", "*"],
        resource_names_unsubscribe=["b"],
        initial_resource_versions={"c": "1"},
        response_nonce="7",
    )

    request = DeltaCodec("here").decode(sent.SerializeToString()).request

    assert (request.subscribe, request.unsubscribe) == (("a", "*"), ("b",))
    assert (dict(request.initial), request.nonce, request.refused) == ({"c": "1"}, "7", False)


METADATA = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.text(max_size=9)
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=10,
    ),
    max_size=4,
)


@given(METADATA)
def test_metadata_of_a_node_is_the_json_it_was_made_from(metadata: dict[str, object]) -> None:
    sent = discovery_pb2.DiscoveryRequest(node={"id": "default.backend-1", "metadata": metadata})

    node = SotwCodec("here").decode(sent.SerializeToString()).node

    assert node is not None
    assert (node.id, node.metadata) == ("default.backend-1", metadata)


def test_metadata_of_a_megabyte_is_read() -> None:
    metadata = {
        "dataplane.resource": "x" * 1_000_000,
        "many": [{"k": str(i)} for i in range(5_000)],
    }
    sent = discovery_pb2.DiscoveryRequest(node={"id": "n", "metadata": metadata})

    node = SotwCodec("here").decode(sent.SerializeToString()).node

    assert node is not None
    assert node.metadata == metadata


@pytest.mark.parametrize(
    "message",
    [
        b"\xff" * 40,
        b"\x0a\xff\xff\xff\xff\x0f",  # longer than there is
        b"\x1a\x02\xff\xfe",  # a name that is no UTF-8
        bytes(MESSAGE_BYTES_MAX + 1),
        discovery_pb2.DiscoveryRequest(
            node={
                "metadata": struct_pb2.Struct(
                    fields={"n": struct_pb2.Value(number_value=float("nan"))}
                )
            }
        ).SerializeToString(),
    ],
    ids=["garbage", "cut", "no-utf-8", "huge", "nan"],
)
def test_what_is_no_request_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        SotwCodec("here").decode(message)


def test_what_is_nested_too_deep_is_a_value_error() -> None:
    # What protobuf's own classes write stops at this depth as well, so it is put together by hand.
    message = b"\x08\x00"
    for _ in range(10_000):
        values = b"\x0a" + varint(len(message)) + message
        message = b"\x32" + varint(len(values)) + values
    entry = b"\x0a\x01k\x12" + varint(len(message)) + message
    struct = b"\x0a" + varint(len(entry)) + entry
    node = b"\x1a" + varint(len(struct)) + struct

    with pytest.raises(ValueError, match=r"."):
        SotwCodec("here").decode(b"\x12" + varint(len(node)) + node)


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])
