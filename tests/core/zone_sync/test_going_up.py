"""What the global control plane gets of a zone: docs/wire/zone-sync.md#up."""

from __future__ import annotations

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.belonging import FromGlobal, FromZone
from kong_mesh_cp.core.zone_sync.going_up import offer_up
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource

KEY = ResourceKey("Dataplane", "default", "dp1")


def test_what_is_of_the_zone_goes_with_its_labels_under_a_hashed_name() -> None:
    told = offer_up(SyncedResource(key=KEY, spec={}, labels={"team": "a"}), "zone-1")

    assert told is not None
    assert told.key.name == "dp1-96c4w6z7vv752zxf"
    assert told.labels == {
        "kuma.io/display-name": "dp1",
        "kuma.io/origin": "zone",
        "kuma.io/zone": "zone-1",
        "team": "a",
    }


def test_what_came_from_the_global_control_plane_does_not_go_back() -> None:
    came = SyncedResource(key=KEY, spec={}, labels={"kuma.io/origin": "global"})

    assert offer_up(came, "zone-1") is None


def test_some_labels_stay() -> None:
    labels = {"kuma.io/deletion-grace-period-started-at": "now", "own.org/a": "b", "c": "d"}
    told = offer_up(SyncedResource(key=KEY, spec={}, labels=labels), "zone-1", ["own.org/"])

    assert told is not None
    assert set(told.labels) == {"kuma.io/display-name", "kuma.io/origin", "kuma.io/zone", "c"}


def test_a_sign_of_life_among_control_planes_is_no_news_for_others() -> None:
    key = KEY._replace(type="DataplaneInsight")
    spec = {"subscriptions": [{"id": "a", "generation": 7}]}
    told = offer_up(SyncedResource(key=key, spec=spec), "zone-1")

    assert told is not None
    assert told.spec == {"subscriptions": [{"id": "a"}]}
    assert told.key.name == "dp1-96c4w6z7vv752zxf"


def test_whatever_a_zone_says_it_is_that_zone() -> None:
    lies = SyncedResource(
        key=ResourceKey("ZoneEgress", "", "ze"),
        spec={"zone": "west"},
        labels={"kuma.io/zone": "west", "kuma.io/origin": "global"},
    )
    kept = FromZone("east").received(lies)

    assert kept.labels == {"kuma.io/zone": "east", "kuma.io/origin": "zone"}
    assert kept.spec["zone"] == "east"


def test_a_zone_touches_nothing_but_its_own() -> None:
    east = FromZone("east")

    assert east.owns(KEY, {"kuma.io/zone": "east"})
    assert not east.owns(KEY, {"kuma.io/zone": "west"})
    assert not east.owns(KEY, {})


def test_a_name_that_begins_as_those_of_a_zone_is_of_whom_its_labels_say() -> None:
    key = ResourceKey("Dataplane", "m", "east.web-0123456789abcdef")
    east = FromZone("east")

    assert not east.owns(key, {"kuma.io/zone": "west", "kuma.io/origin": "zone"})
    assert not east.owns(key, {"kuma.io/origin": "global"})
    assert east.owns(key, {})


def test_a_zone_that_hashes_no_names_has_its_own_in_front_of_them() -> None:
    kept = FromZone("east", hashes_names=False).received(SyncedResource(key=KEY, spec={}))

    assert kept.key.name == "east.dp1"
    assert FromZone("east").owns(kept.key, {})


def test_the_global_control_plane_has_all_that_zones_cannot_have() -> None:
    sender = FromGlobal()

    assert sender.owns(ResourceKey("Mesh", "", "m"), {})
    assert not sender.owns(ResourceKey("MeshTimeout", "m", "a"), {"kuma.io/origin": "zone"})
    assert not sender.owns(ResourceKey("Secret", "m", "a"), {})
    assert not sender.owns(ResourceKey("Config", "", "kuma-default-dns-vips"), {})
    assert sender.owns(ResourceKey("Secret", "m", "a"), {"kuma.io/origin": "global"})
