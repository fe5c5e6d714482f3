"""What policies of the older generation do is seen in traffic through the real Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import application, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged

pytestmark = pytest.mark.system

ANY = {"kuma.io/service": "*"}
LIMIT = 3  # requests in an interval that is longer than any test


def put_older(stage: Stage, segment: str, type_name: str, to: Mapping[str, str], conf: Any) -> None:
    """A policy for connections from anybody to `to`."""
    document = {
        "type": type_name,
        "mesh": "default",
        "name": "older",
        "sources": [{"match": ANY}],
        "destinations": [{"match": to}],
        "conf": conf,
    }
    stage.put(f"/meshes/default/{segment}/older", document)


def route_all(stage: Stage) -> None:
    """Outbounds as TrafficRoutes say, each to its own service."""
    put_older(stage, "traffic-routes", "TrafficRoute", ANY, {"destination": ANY})


def answered_by(proxy: Proxy, service: str) -> object:
    """None while nobody does."""
    try:
        found = ask(proxy.outbound(service))
    except OSError:
        return None
    heard: Any = found.json
    return heard["application"] if found.status == 200 else None


def _host(proxy: Proxy, service: str) -> object:
    """Under which name the application is called."""
    heard: Any = ask(proxy.outbound(service)).json
    return heard["headers"]["host"]


def test_a_traffic_route_leads_to_another_service(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, _ = stage.pair()
        stage.start(stage.proxy("other-1", "other"))
        to = {"kuma.io/service": "backend"}
        other = {"destination": {"kuma.io/service": "other"}}

        put_older(stage, "traffic-routes", "TrafficRoute", to, other)

        eventually("the other one answers", lambda: answered_by(web, "backend") == "other-1")
        assert web.envoy.rejected() == []


def test_a_rate_limit_refuses_what_is_too_much_of_the_callers_that_it_names(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        route_all(stage)
        limit = {"http": {"requests": LIMIT, "interval": "1h", "onRateLimit": {"status": 423}}}

        put_older(stage, "rate-limits", "RateLimit", {"kuma.io/service": "backend"}, limit)

        eventually("it is refused", lambda: ask(web.outbound("backend")).status == 423)
        # A request that does not come through a proxy of the mesh says nothing of who asks.
        assert answers(backend.inbound)


def test_a_fault_is_injected_into_requests(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        route_all(stage)
        to = {"kuma.io/service": "backend", "kuma.io/protocol": "http"}

        put_older(
            stage,
            "fault-injections",
            "FaultInjection",
            to,
            {"abort": {"httpStatus": 418, "percentage": 100}},
        )

        eventually("it fails", lambda: ask(web.outbound("backend")).status == 418)
        assert answers(backend.inbound)


def test_an_external_service_is_reached_under_its_own_name(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web = stage.start(stage.proxy("web-1", "web", to=("outside",)))
        place = stage.proxy("outside").behind
        document = {
            "type": "ExternalService",
            "mesh": "default",
            "name": "outside",
            "tags": {"kuma.io/service": "outside", "kuma.io/protocol": "http"},
            "networking": {"address": f"localhost:{place.port}"},
        }
        with application("outside", place._replace(address="127.0.0.1")):
            stage.put("/meshes/default/external-services/outside", document)

            eventually("it answers", lambda: answered_by(web, "outside") == "outside")
            # Its cluster comes before the listener that speaks HTTP.
            eventually("it is called by its name", lambda: _host(web, "outside") == "localhost")
        assert web.envoy.rejected() == []


def test_a_timeout_of_the_older_generation_ends_a_request(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, _ = stage.pair()
        # A MeshTimeout, which every new mesh has, would come after it.
        for each in stage.get("/meshes/default/meshtimeouts")["items"]:
            stage.delete(f"/meshes/default/meshtimeouts/{each['name']}")
        route_all(stage)
        slow = {"delay": {"value": "3600s", "percentage": 100}}
        to = {"kuma.io/service": "backend", "kuma.io/protocol": "http"}
        put_older(stage, "fault-injections", "FaultInjection", to, slow)

        put_older(
            stage,
            "timeouts",
            "Timeout",
            {"kuma.io/service": "backend"},
            {"http": {"requestTimeout": "0.3s"}},
        )

        eventually("it is over", lambda: ask(web.outbound("backend")).status == 504)
