"""Real Envoys choose among instances as MeshLoadBalancingStrategies say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged

pytestmark = pytest.mark.system

INSTANCES = ("backend-1", "backend-2", "backend-3")
NEAR = "backend-1"
ATTEMPTS = 20  # in a row, where chance would have chosen others, too
USERS = 12
DEAD = "192.0.2.1"  # of TEST-NET-1: nobody is there
POLICY = "/meshes/default/meshloadbalancingstrategies/strategy"


class Shop:
    """A client and three instances of what it calls, of which one is in its rack."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        # A way to other zones leads through mTLS.
        stage.mesh("STRICT")
        stage.permit()
        self.backends = [
            stage.start(stage.proxy(each, "backend", tags={"rack": f"r{number}"}))
            for number, each in enumerate(INSTANCES, 1)
        ]
        self.web: Proxy = stage.start(
            stage.proxy("web-1", "web", to=("backend",), tags={"rack": "r1"})
        )
        eventually("it answers", lambda: answers(self.web.outbound("backend")))

    def answered_by(self, path: str = "/", headers: Mapping[str, str] | None = None) -> str:
        answer = ask(self.web.outbound("backend"), path, headers)
        return str(answer.json["application"]) if answer.status == 200 else str(answer.status)

    def asked(self, path: str = "/", headers: Mapping[str, str] | None = None) -> set[str]:
        return {self.answered_by(path, headers) for _ in range(ATTEMPTS)}

    def balance(self, text: str, **conf: object) -> None:
        """Until the client's Envoy has what says `text`."""
        to = {"targetRef": {"kind": "MeshService", "name": "backend"}, "default": conf}
        spec = {"targetRef": {"kind": "Mesh"}, "to": [to]}
        names = {"type": "MeshLoadBalancingStrategy", "mesh": "default", "name": "strategy"}
        self.stage.put(POLICY, {**names, "spec": spec})
        eventually(f"{text} is there", lambda: text in str(list(self.web.envoy.dump())))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with staged(tmp_path_factory.mktemp("balancing")) as stage:
        yield Shop(stage)


@pytest.fixture
def shop(running: Shop) -> Iterator[Shop]:
    yield running
    running.stage.delete(POLICY)
    eventually("all serve again", lambda: running.asked() == set(INSTANCES))
    assert running.web.envoy.rejected() == []


def hashed(kind: str, *policies: dict[str, Any]) -> dict[str, Any]:
    member = {"RingHash": "ringHash", "Maglev": "maglev"}[kind]
    return {"type": kind, member: {"hashPolicies": [*policies]}}


@pytest.mark.parametrize(("kind", "shown"), [("RingHash", "RING_HASH"), ("Maglev", "MAGLEV")])
def test_a_user_sticks_to_one_instance_and_users_are_spread(
    shop: Shop, kind: str, shown: str
) -> None:
    by_user = {"type": "Header", "header": {"name": "x-user"}}
    shop.balance(shown, loadBalancer=hashed(kind, by_user))
    eventually("it sticks", lambda: len(shop.asked(headers={"x-user": "anna"})) == 1)
    found = [shop.asked(headers={"x-user": f"user {number}"}) for number in range(USERS)]
    assert {len(each) for each in found} == {1}
    assert len(set.union(*found)) > 1


def test_a_parameter_of_the_query_can_be_what_sticks(shop: Shop) -> None:
    by_cart = {"type": "QueryParameter", "queryParameter": {"name": "cart"}}
    shop.balance("RING_HASH", loadBalancer=hashed("RingHash", by_cart))
    eventually("it sticks", lambda: len(shop.asked("/?cart=1")) == 1)


def test_one_client_sticks_by_its_address(shop: Shop) -> None:
    by_address = {"type": "SourceIP", "connection": {"sourceIP": True}}
    shop.balance("MAGLEV", loadBalancer=hashed("Maglev", by_address))
    eventually("it sticks", lambda: len(shop.asked()) == 1)


@pytest.mark.parametrize(
    ("balancer", "shown"),
    [
        ({"type": "Random"}, "RANDOM"),
        (
            {
                "type": "LeastRequest",
                "leastRequest": {"choiceCount": 3, "activeRequestBias": "1.5"},
            },
            "LEAST_REQUEST",
        ),
        # Sizes that Envoy would refuse as they are.
        ({"type": "RingHash", "ringHash": {"maxRingSize": 100}}, "RING_HASH"),
        ({"type": "Maglev", "maglev": {"tableSize": 1000}}, "MAGLEV"),
    ],
)
def test_without_a_hash_all_instances_serve(
    shop: Shop, balancer: dict[str, Any], shown: str
) -> None:
    shop.balance(shown, loadBalancer=balancer)
    eventually("all serve", lambda: shop.asked() == set(INSTANCES))


def affinity(weight: int) -> dict[str, Any]:
    return {"localZone": {"affinityTags": [{"key": "rack", "weight": weight}]}}


def test_what_is_near_serves_alone_and_others_when_it_has_gone(shop: Shop) -> None:
    shop.balance("rack=r1", localityAwareness=affinity(1_000_000))
    eventually("it serves alone", lambda: shop.asked() == {NEAR})
    near = shop.backends[0]
    shop.stage.delete(near.path)
    eventually("the others serve", lambda: shop.asked() == set(INSTANCES) - {NEAR})
    shop.stage.put(near.path, near.resource)
    eventually("it serves alone again", lambda: shop.asked() == {NEAR})


def test_a_zone_keeps_its_traffic_while_it_can_serve_it(shop: Shop) -> None:
    tags = {"kuma.io/service": "backend", "kuma.io/protocol": "http", "kuma.io/zone": "west"}
    ingress = {
        "type": "ZoneIngress",
        "name": "west",
        "zone": "west",
        "networking": {
            "address": DEAD,
            "port": 10001,
            "advertisedAddress": DEAD,
            "advertisedPort": 10001,
        },
        "availableServices": [{"mesh": "default", "instances": 1, "tags": tags}],
    }
    anywhere = {"crossZone": {"failover": [{"to": {"type": "Any"}}]}}
    shop.balance("overprovisioning_factor", localityAwareness=anywhere)
    shop.stage.put("/zone-ingresses/west", ingress)
    try:
        eventually("it knows the zone", lambda: DEAD in str(list(shop.web.envoy.dump())))
        assert shop.asked() == set(INSTANCES)
    finally:
        shop.stage.delete("/zone-ingresses/west")
    eventually("the zone has gone", lambda: DEAD not in str(list(shop.web.envoy.dump())))
