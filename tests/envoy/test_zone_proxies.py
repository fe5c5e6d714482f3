"""Real Envoys as egress and ingress: the only way out, and the way in."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Load, Place, application, ask
from support.data_plane.envoy_stage import APPLICATION, Proxy, Stage, answers, staged
from support.data_plane.rotation import rotate
from support.data_plane.ways import WAYS
from support.data_plane.zone_proxies import (
    PORT,
    ZoneProxy,
    by_kuma_dp,
    start_zone_proxy,
    subscriptions,
    through_egress,
)

pytestmark = pytest.mark.system


def outside(stage: Stage, things: contextlib.ExitStack) -> Place:
    """A server that is of no mesh, and the ExternalService `mail` for it."""
    place = Place(stage.proxy("mail").address, APPLICATION)
    things.enter_context(application("mail", place))
    stage.put(
        "/meshes/default/external-services/mail",
        {
            "type": "ExternalService",
            "mesh": "default",
            "name": "mail",
            "tags": {"kuma.io/service": "mail", "kuma.io/protocol": "http"},
            "networking": {"address": f"{place.address}:{place.port}"},
        },
    )
    return place


def services_offered(stage: Stage, ingress: ZoneProxy) -> list[str]:
    """What other zones reach through it."""
    found = stage.get(ingress.path).get("availableServices", [])
    return sorted(each["tags"]["kuma.io/service"] for each in found)


def client(stage: Stage, *services: str) -> Proxy:
    return stage.start(stage.proxy("web-1", "web", to=services))


@WAYS
def test_a_service_outside_is_called_by_the_egress_as_far_as_a_policy_permits(
    tmp_path: Path, way: Mapping[str, str]
) -> None:
    with staged(tmp_path, way) as stage, contextlib.ExitStack() as things:
        outside(stage, things)
        through_egress(stage)
        egress = start_zone_proxy(stage, things, "egress-1", "egress")
        web = client(stage, "mail")
        place = web.outbound("mail")

        eventually("it is refused", lambda: answers(place, 403))
        stage.permit(service="web", about="mail")
        eventually("it is permitted", lambda: answers(place))
        assert ask(place).json["application"] == "mail"
        assert egress.envoy.stat("cluster.default_mail.upstream_rq_200") > 0
        stage.permit("Deny", service="web", about="mail")
        eventually("it is refused again", lambda: answers(place, 403))
        assert set(egress.envoy.updates("rejected").values()) == {0}


def test_an_egress_that_comes_and_goes_is_shown_and_can_be_asked(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage, contextlib.ExitStack() as things:
        outside(stage, things)
        through_egress(stage)
        egress = start_zone_proxy(stage, things, "egress-1", "egress")

        eventually("it is shown", lambda: len(subscriptions(stage, egress)) == 1)
        eventually(
            "what it has taken is shown",
            lambda: (
                int(
                    subscriptions(stage, egress)[-1]["status"]["total"].get(
                        "responsesAcknowledged", 0
                    )
                )
                > 0
            ),
        )
        clusters = stage.daemon.api("GET", f"{egress.path}/clusters")
        assert b"default:mail::" in clusters.body
        egress.envoy.stop()
        eventually("it has gone", lambda: "disconnectTime" in subscriptions(stage, egress)[-1])


def test_traffic_of_other_zones_comes_in_by_the_ingress(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, contextlib.ExitStack() as things:
        web, backend = stage.pair()
        ingress = start_zone_proxy(stage, things, "ingress-1", "ingress")
        stage.permit()
        stage.mesh("STRICT")

        eventually(
            "its services are offered",
            lambda: services_offered(stage, ingress) == ["backend", "web"],
        )
        # As if another zone, of which this is the ingress, had told of it.
        tags = {"kuma.io/service": "backend", "kuma.io/protocol": "http", "kuma.io/zone": "west"}
        stage.put(
            "/zone-ingresses/west",
            {
                "type": "ZoneIngress",
                "name": "west",
                "zone": "west",
                "networking": {
                    "address": ingress.address,
                    "port": PORT,
                    "advertisedAddress": ingress.address,
                    "advertisedPort": PORT,
                },
                "availableServices": [{"mesh": "default", "instances": 1, "tags": tags}],
            },
        )
        place = web.outbound("backend")

        def came_in() -> bool:
            return answers(place) and (
                ingress.envoy.stat("cluster.default_backend.upstream_cx_total") > 0
            )

        eventually("a request comes in by the ingress", came_in)
        assert ask(place).json["application"] == backend.name
        assert set(ingress.envoy.updates("rejected").values()) == {0}


def original_kuma_dp() -> str:
    """The program of Kuma 2.10 that KMESH_TEST_KUMA_DP names."""
    named = os.environ.get("KMESH_TEST_KUMA_DP", "")
    if not named:
        pytest.skip("no kuma-dp of Kuma here: KMESH_TEST_KUMA_DP names it")
    return named


@pytest.mark.parametrize("whose", ["ours", "the original"])
def test_both_kinds_are_started_by_a_kuma_dp_with_a_token_of_the_zone(
    tmp_path: Path, whose: str
) -> None:
    program = [sys.executable, "-m", "kuma_dp"] if whose == "ours" else [original_kuma_dp()]
    leaves_soon = {"KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "1s"}
    with staged(tmp_path, leaves_soon) as stage, contextlib.ExitStack() as things:
        outside(stage, things)
        through_egress(stage)
        stage.permit(about="mail")
        egress = things.enter_context(by_kuma_dp(stage, "egress-1", "egress", program))
        ingress = things.enter_context(by_kuma_dp(stage, "ingress-1", "ingress", program))
        web = client(stage, "mail")

        eventually("it is called by the egress", lambda: answers(web.outbound("mail")))
        assert egress.envoy.stat("cluster.default_mail.upstream_rq_200") > 0
        eventually("services are offered", lambda: services_offered(stage, ingress) == ["web"])
        for proxy in (egress, ingress):
            assert set(proxy.envoy.updates("rejected").values()) == {0}
            told = subscriptions(stage, proxy)[-1]["version"]
            assert told["kumaDp"]["version"]
            assert told["envoy"]["version"]
        things.pop_all().close()

        eventually("they have gone", lambda: stage.get("/zoneegresses")["total"] == 0)
        eventually("both have", lambda: stage.get("/zone-ingresses")["total"] == 0)


def test_no_request_through_an_egress_fails_while_the_authority_is_replaced(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage, contextlib.ExitStack() as things:
        outside(stage, things)
        through_egress(stage)
        stage.permit(about="mail")
        start_zone_proxy(stage, things, "egress-1", "egress")
        web = client(stage, "mail")
        eventually("it answers", lambda: answers(web.outbound("mail")))
        load = Load(web.outbound("mail"))
        with load.running():
            load.wait_for_more()
            assert "ca-1 is trusted no longer" in rotate(stage, tmp_path, "ca-2")
            eventually(
                "the client has a certificate of the new one",
                lambda: stage.insight(web)["mTLS"]["issuedBackend"] == "ca-2",
            )
            load.wait_for_more()
        assert load.failures == []
