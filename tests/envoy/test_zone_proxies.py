"""Real Envoys as egress and ingress: the only way out, and the way in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Place, application, ask
from support.data_plane.envoy_stage import APPLICATION, Proxy, Stage, answers, staged
from support.data_plane.ways import WAYS
from support.data_plane.zone_proxies import PORT, start_zone_proxy, subscriptions

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


def through_egress(stage: Stage) -> None:
    backend = {"name": "ca-1", "type": "builtin"}
    stage.put(
        "/meshes/default",
        {
            "type": "Mesh",
            "name": "default",
            "mtls": {"enabledBackend": "ca-1", "backends": [backend]},
            "routing": {"zoneEgress": True},
            "networking": {"outbound": {"passthrough": False}},
        },
    )


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

        def offered() -> list[Any]:
            found: list[Any] = stage.get(ingress.path).get("availableServices", [])
            return [each["tags"]["kuma.io/service"] for each in found]

        eventually("its services are offered", lambda: sorted(offered()) == ["backend", "web"])
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
