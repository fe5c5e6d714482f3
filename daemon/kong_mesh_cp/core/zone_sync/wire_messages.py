"""The messages of the calls between a zone's control plane and the global one.

Source: docs/wire/zone-sync.md#messages
"""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import (
    EMPTY,
    Bytes,
    Duration,
    Int32,
    Message,
    ProtoEnum,
    Struct,
    oneof,
    proto,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyMessage(Message):
    """`google.protobuf.Any`: a message of which only its reader knows the type."""

    type_url: str = proto("", number=1)
    value: Bytes = proto(b"", number=2, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaResourceMeta(Message):
    """What a resource has beside its spec."""

    name: str = proto("", number=1)
    mesh: str = proto("", number=2)
    version: str = proto("", number=5)
    labels: Mapping[str, str] = proto(EMPTY, number=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class KumaResource(Message):
    """Any resource."""

    meta: KumaResourceMeta | None = proto(number=1)
    spec: AnyMessage | None = proto(number=2)
    status: AnyMessage | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneName(Message):
    """Who sends a response."""

    identifier: str = proto("", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentResource(Message):
    """A resource of a response; its name is in itself."""

    version: str = proto("", number=1)
    resource: AnyMessage | None = proto(number=2)
    name: str = proto("", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaDiscoveryResponse(Message):
    """What has changed of one type, in either direction."""

    resources: tuple[SentResource, ...] = proto((), number=2)
    type_url: str = proto("", number=4)
    nonce: str = proto("", number=5)
    removed_resources: tuple[str, ...] = proto((), number=6)
    control_plane: ControlPlaneName | None = proto(number=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Message):
    """Who asks."""

    id: str = proto("", number=1)
    metadata: Struct | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcStatus(Message):
    """Why something was refused."""

    code: Int32 = proto(0, number=1)
    message: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaDiscoveryRequest(Message):
    """A subscription to all of a type, or the answer to a response."""

    node: Node | None = proto(number=1)
    type_url: str = proto("", number=2)
    resource_names_subscribe: tuple[str, ...] = proto((), number=3)
    resource_names_unsubscribe: tuple[str, ...] = proto((), number=4)
    initial_resource_versions: Mapping[str, str] = proto(EMPTY, number=5)
    response_nonce: str = proto("", number=6)
    error_detail: RpcStatus | None = proto(number=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneHealthCheckRequest(Message):
    """A zone says that it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneHealthCheckResponse(Message):
    """After how long it is to say so again; nothing: as often as it likes."""

    interval: Duration | None = proto(number=1)


class AdminOutputFormat(ProtoEnum):
    """How Envoy writes counters and clusters."""

    TEXT = 0
    JSON = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRequest(Message):
    """What Envoy is asked of a proxy of the zone; the same numbers for all three questions."""

    request_id: str = proto("", number=1)
    resource_type: str = proto("", number=2)
    resource_name: str = proto("", number=3)
    resource_mesh: str = proto("", number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDumpRequest(AdminRequest):
    """For its configuration."""

    include_eds: bool = proto(default=False, number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormattedRequest(AdminRequest):
    """For its counters, or its clusters."""

    format: AdminOutputFormat = proto(AdminOutputFormat.TEXT, number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminResponse(Message):
    """What Envoy has answered, or why there is no answer."""

    request_id: str = proto("", number=1)
    error: str | None = oneof("result", number=2)
    content: Bytes | None = oneof("result", number=3)
