"""Resources in binary form: docs/wire/zone-sync.md#resources."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.schema.message_binary import decode
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.core.zone_sync.kuma_resources import (
    TYPE_URL,
    NoResourceError,
    packed,
    renamed,
    unpacked,
)
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.core.zone_sync.wire_messages import AnyMessage, KumaResource
from kong_mesh_cp.usecases.zone_sync.synced_kinds import message_type_of

TIMEOUT = SyncedResource(
    key=ResourceKey("Timeout", "m", "t"),
    spec={"conf": {"connectTimeout": "7s"}},
    labels={"kuma.io/origin": "global", "team": "ä"},
)
SERVICE = SyncedResource(
    key=ResourceKey("MeshService", "m", "web"),
    spec={"ports": [{"port": 80}], "newer": True},
    status={"vips": [{"ip": "241.0.0.1"}]},
)
SECRET = SyncedResource(key=ResourceKey("GlobalSecret", "", "s"), spec={"data": "YWJj"})


def kuma_resource(data: bytes) -> KumaResource:
    whole = decode(AnyMessage, data)
    assert whole.type_url == TYPE_URL
    return decode(KumaResource, whole.value)


@pytest.mark.parametrize("resource", [TIMEOUT, SERVICE, SECRET], ids=lambda each: each.key.type)
def test_what_was_packed_is_the_same_on_the_other_side(resource: SyncedResource) -> None:
    message_type = message_type_of(resource.key.type)
    data = packed(resource, message_type)

    assert unpacked(resource.key.type, decode(AnyMessage, data), message_type) == resource


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        (TIMEOUT, "type.googleapis.com/kuma.mesh.v1alpha1.Timeout"),
        (SECRET, "type.googleapis.com/kuma.system.v1alpha1.Secret"),
        (SERVICE, ""),
    ],
    ids=["older", "of the system", "newer"],
)
def test_a_spec_says_which_message_it_is_unless_it_is_json(
    resource: SyncedResource, url: str
) -> None:
    spec = kuma_resource(packed(resource, message_type_of(resource.key.type))).spec

    assert spec is not None
    assert spec.type_url == url


def test_a_type_with_a_status_has_one_on_the_wire() -> None:
    bare = SyncedResource(key=SERVICE.key, spec={})
    status = kuma_resource(packed(bare, None)).status

    assert status is not None
    assert status.value == b"{}"


def test_under_another_name_all_else_stays() -> None:
    message_type = message_type_of("Timeout")
    data = renamed(packed(TIMEOUT, message_type), "other")
    read = unpacked("Timeout", decode(AnyMessage, data), message_type)

    assert read.key.name == "other"
    assert (read.spec, read.labels) == (TIMEOUT.spec, TIMEOUT.labels)


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("Timeout", b"\xff"),
        ("Timeout", b"\x12\x03\x12\x01\xff"),
        ("MeshTimeout", b"\x12\x04\x12\x02[]"),
        ("MeshTimeout", b"\x12\x04\x12\x02{,"),
    ],
)
def test_what_is_no_resource_is_told(type_name: str, value: bytes) -> None:
    message_type: type[Message] | None = message_type_of(type_name)

    with pytest.raises(NoResourceError):
        unpacked(type_name, AnyMessage(value=value), message_type)
