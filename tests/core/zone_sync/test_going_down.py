"""What zones get of the global control plane: docs/wire/zone-sync.md#down."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.going_down import (
    MULTI_ZONE_NAMES,
    OPTIONAL_TARGET,
    PRODUCER_POLICIES,
    Offer,
    offer_down,
)
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource

ALL = frozenset({OPTIONAL_TARGET, MULTI_ZONE_NAMES, PRODUCER_POLICIES})
TARGETED = {"targetRef": {"kind": "Mesh"}}


def offered(
    type_name: str,
    name: str = "a",
    mesh: str = "m",
    spec: Mapping[str, object] = TARGETED,
    **labels: str,
) -> Offer | None:
    given = {f"kuma.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    resource = SyncedResource(key=ResourceKey(type_name, mesh, name), spec=spec, labels=given)
    return offer_down(resource, lambda _pem: b"public")


def goes(offer: Offer | None, zone: str = "east", features: frozenset[str] = ALL) -> bool:
    return offer is not None and offer.terms.met_by(zone, features, lambda _zone: True)


@pytest.mark.parametrize(
    ("type_name", "name"),
    [
        ("Config", "kuma-default-dns-vips"),
        ("GlobalSecret", "envoy-admin-ca"),
        ("GlobalSecret", "admin-user-token"),
        ("GlobalSecret", "inter-cp-ca"),
        ("GlobalSecret", "user-token-revocations"),
        ("GlobalSecret", "user-token-signing-key-2"),
    ],
)
def test_what_is_of_each_control_plane_alone_stays(type_name: str, name: str) -> None:
    assert offered(type_name, name, "") is None


def test_the_cluster_and_secrets_go_under_their_names() -> None:
    cluster, secret = offered("Config", "kuma-cluster-id", ""), offered("Secret", "s")

    assert cluster is not None
    assert cluster.resource.key.name == "kuma-cluster-id"
    assert secret is not None
    assert secret.resource.key.name == "s"
    assert secret.resource.labels == {"kuma.io/origin": "global"}


def test_a_policy_has_a_hashed_name_and_says_what_it_is_called() -> None:
    offer = offered("MeshTrafficPermission", "mtp", "default")

    assert offer is not None
    assert offer.resource.key.name == "mtp-xz4976xdv4b2c2z9"
    assert offer.plain_name == "mtp"
    assert offer.resource.labels == {"kuma.io/display-name": "mtp", "kuma.io/origin": "global"}


def test_who_does_not_want_a_resource_to_travel_says_so() -> None:
    assert offered("MeshTimeout", kds_sync="disabled") is None
    assert goes(offered("MeshTimeout", kds_sync="enabled"))


@pytest.mark.parametrize(
    ("offer", "feature"),
    [
        (offered("MeshTimeout", spec={"to": []}), OPTIONAL_TARGET),
        (
            offered("HostnameGenerator", "a", "", {"selector": {"meshMultiZoneService": {}}}),
            MULTI_ZONE_NAMES,
        ),
    ],
)
def test_a_zone_gets_what_it_understands(offer: Offer | None, feature: str) -> None:
    assert goes(offer)
    assert not goes(offer, features=ALL - {feature})


def test_what_a_zone_has_for_others_goes_to_the_others_while_it_takes_part() -> None:
    offer = offered("ZoneIngress", "zi", "", {"zone": "west"}, origin="zone", zone="west")

    assert offer is not None
    assert goes(offer, "east")
    assert not goes(offer, "west")
    assert not offer.terms.met_by("east", ALL, lambda zone: zone != "west")
    assert offer.resource.labels["kuma.io/origin"] == "global"


def test_a_zones_own_proxies_and_policies_stay() -> None:
    assert offered("MeshTimeout", origin="zone", zone="west") is None


def test_a_producers_policy_goes_to_zones_that_know_of_it() -> None:
    to = [{"targetRef": {"kind": "MeshService", "name": "web"}}]
    offer = SyncedResource(
        key=ResourceKey("MeshTimeout", "m", "a"),
        spec={**TARGETED, "to": to},
        labels={
            "kuma.io/origin": "zone",
            "kuma.io/zone": "west",
            "kuma.io/policy-role": "producer",
            "k8s.kuma.io/namespace": "shop",
        },
    )
    made = offer_down(offer, lambda _pem: None)

    assert goes(made)
    assert not goes(made, features=ALL - {PRODUCER_POLICIES})


def test_each_zone_gives_a_service_addresses_of_its_own() -> None:
    resource = SyncedResource(
        key=ResourceKey("MeshService", "m", "web"),
        spec={},
        labels={"kuma.io/origin": "zone", "kuma.io/zone": "west"},
        status={"vips": [{"ip": "241.0.0.1"}]},
    )
    offer = offer_down(resource, lambda _pem: None)

    assert offer is not None
    assert offer.resource.status is None


def test_of_a_key_for_zone_tokens_zones_get_the_public_half() -> None:
    private = base64.b64encode(b"private").decode()
    offer = offered("GlobalSecret", "zone-token-signing-key-3", "", {"data": private})

    assert offer is not None
    assert offer.resource.key.name == "zone-token-signing-public-key-3"
    assert offer.resource.labels["kuma.io/display-name"] == "zone-token-signing-key-3"
    assert base64.b64decode(str(offer.resource.spec["data"])) == b"public"
    assert "private" not in str(offer.resource.spec)


def test_a_key_for_zone_tokens_that_is_none_stays() -> None:
    assert offered("GlobalSecret", "zone-token-signing-key-3", "", {"data": "*"}) is None
