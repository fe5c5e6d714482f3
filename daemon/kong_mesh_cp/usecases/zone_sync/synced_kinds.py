"""The kinds of resources that travel, and stored ones as they set out."""

from __future__ import annotations

import json
from typing import Any, Final

from kong_mesh_cp.core.resources.kind import Kind, ProtoKind
from kong_mesh_cp.core.resources.lazy_kinds import LazyKinds
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.core.zone_sync.directions import CONFIG
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import spec_document
from kong_mesh_cp.usecases.resources.kinds import KINDS

# The API shows no Config: it is the control planes' own.
SYNCED_KINDS: Final = LazyKinds[Kind[Any]](
    {**KINDS.constants, CONFIG: "kong_mesh_cp.core.resources.kinds.config.KIND"}
)


def message_type_of(type_name: str) -> type[Message] | None:
    """The message that a spec of the type is; None where it is JSON."""
    kind = SYNCED_KINDS[type_name]
    return kind.message_type if isinstance(kind, ProtoKind) else None


def config_of(stored: StoredResource | None) -> str:
    """The text of a Config; "" where there is none."""
    return "" if stored is None else str(spec_document(stored).get("config", ""))


def synced_of(stored: StoredResource) -> SyncedResource:
    return SyncedResource(
        key=stored.key,
        spec=spec_document(stored),
        labels=stored.labels,
        status=None if stored.status is None else json.loads(stored.status),
    )
