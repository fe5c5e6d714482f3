"""Names on the other side: docs/wire/zone-sync.md#names."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.synced_names import (
    hashed_name,
    key_of_removed,
    removed_name,
    synced_name,
)


# Seen at live processes of Kuma 2.10.11.
@pytest.mark.parametrize(
    ("mesh", "shown", "zone", "name"),
    [
        ("default", "mtp", (), "mtp-xz4976xdv4b2c2z9"),
        ("default", "mesh-timeout-all-default", (), "mesh-timeout-all-default-bv8z44b7bzb99xc7"),
        (
            "",
            "synced-universal-mesh-service",
            (),
            "synced-universal-mesh-service-46484vczc724vc29",
        ),
        ("default", "dp1", ("zone-1",), "dp1-96c4w6z7vv752zxf"),
        ("m-1", "mt", ("east",), "mt-754226292bfv8df2"),
        ("", "zi1", ("zone-1",), "zi1-wxxx96658f779v2w"),
    ],
)
def test_a_name_has_a_hash_of_all_that_tells_it_from_others(
    mesh: str, shown: str, zone: tuple[str, ...], name: str
) -> None:
    assert hashed_name(mesh, shown, *zone) == name


def test_a_resource_is_called_by_its_display_name_and_zone() -> None:
    given = {"kuma.io/display-name": "dp1", "kuma.io/zone": "zone-1"}

    assert synced_name(ResourceKey("Dataplane", "default", "x"), given) == "dp1-96c4w6z7vv752zxf"


def test_a_long_name_is_cut_and_its_hash_is_not() -> None:
    name = hashed_name("default", "a" * 253)

    assert len(name) == 253
    assert name[:237] == "a" * 236 + "-"


@pytest.mark.parametrize("name", ["a", "m-1.ca-builtin-key-ca-1"])
def test_what_is_gone_is_told_by_name_and_mesh(name: str) -> None:
    key = ResourceKey("Secret", "m-1", name)

    assert removed_name(key) == f"{name}.m-1"
    assert key_of_removed("Secret", removed_name(key)) == key
