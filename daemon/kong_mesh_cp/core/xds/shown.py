"""Configurations as JSON, for people and for comparison."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.discovery.type_order import ENVOY
from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed


def as_json(snapshot: Snapshot) -> Mapping[str, Mapping[str, object]]:
    """The resources by type and name, in protobuf's form of JSON, without types that have none."""
    return {
        url: {name: json_of_packed(each.packed) for name, each in found.items()}
        for url in ENVOY.order
        if (found := snapshot.of_type(url).resources)
    }
