"""Policies about what goes wrong are seen in the traffic of real Envoys."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import ask
from support.data_plane.scripted_application import FLAKY, FLAKY_FAILURES, HEALTH, HELD
from support.data_plane.shop import Shop, by_mesh, by_service, shop, to
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

LONG = "1h"  # longer than any test: what waits for it never sees it over
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture
def stage(running: Shop) -> Iterator[Shop]:
    with running.restored():
        yield running


def fresh(path: str) -> str:
    """A path that nobody has asked for yet."""
    return f"{path}/{next(NUMBERS)}"


@contextlib.contextmanager
def held(shop: Shop) -> Iterator[list[int]]:
    """A request to backend is under way, and answered in the end: its status."""
    path, statuses = fresh(HELD), list[int]()
    asking = threading.Thread(target=lambda: statuses.append(shop.ask(path).status))
    asking.start()
    script = shop.scripts["backend-1"]
    try:
        script.holds(path)
        yield statuses
    finally:
        script.released.set()
        asking.join(HANG_SECONDS)
        script.released.clear()


def test_a_request_that_takes_too_long_is_ended(stage: Shop) -> None:
    limit = to("backend", http={"requestTimeout": "200ms"})
    with stage.policy("MeshTimeout", "web", to=limit):
        stage.web_has("0.200s")
        answer = stage.ask(fresh(HELD))
    assert (answer.status, answer.body) == (504, b"upstream request timeout")


def test_without_a_limit_a_request_may_take_as_long_as_it_likes(stage: Shop) -> None:
    no_limit = to("backend", http={"requestTimeout": "0s", "streamIdleTimeout": "7777s"})
    with stage.policy("MeshTimeout", "web", to=no_limit):
        stage.web_has("7777s")
        with held(stage) as statuses:
            assert stage.ask().status == 200
            assert statuses == []
        assert statuses == [200]


def test_a_request_that_fails_is_made_again(stage: Shop) -> None:
    asked = stage.scripts["backend-1"].asked
    path = fresh(FLAKY)
    assert stage.ask(path).status == 500
    assert asked[path] == 1

    again = to("backend", http={"numRetries": FLAKY_FAILURES, "retryOn": ["5xx"]})
    with stage.policy("MeshRetry", "web", to=again):
        eventually("it is well in the end", lambda: stage.ask(fresh(FLAKY)).status == 200)
        path = fresh(FLAKY)
        assert stage.ask(path).status == 200
        assert asked[path] == FLAKY_FAILURES + 1


def test_a_request_is_not_made_again_more_often_than_said(stage: Shop) -> None:
    asked = stage.scripts["backend-1"].asked
    once = to("backend", http={"numRetries": FLAKY_FAILURES - 1, "retryOn": ["500"]})

    def was_made_again() -> bool:
        path = fresh(FLAKY)
        assert stage.ask(path).status == 500
        return asked[path] == FLAKY_FAILURES

    with stage.policy("MeshRetry", "web", to=once):
        eventually("it is made again", was_made_again)


def test_more_requests_at_once_than_allowed_are_refused(stage: Shop) -> None:
    one = to("backend", connectionLimits={"maxRequests": 1})
    remaining = "cluster.backend.circuit_breakers.default.remaining_rq"
    with stage.policy("MeshCircuitBreaker", "web", to=one):
        eventually("one is allowed", lambda: stage.web.envoy.stat(remaining) == 1)
        with held(stage) as statuses:
            refused = stage.ask()
            assert refused.status == 503
            assert refused.headers["x-envoy-overloaded"] == "true"
            assert statuses == []
        assert statuses == [200]
        eventually("there is room again", lambda: stage.ask().status == 200)


def test_an_instance_that_fails_again_and_again_is_left_out(stage: Shop) -> None:
    outliers = {
        "interval": "100ms",
        "baseEjectionTime": LONG,
        "maxEjectionPercent": 100,
        "detectors": {"totalFailures": {"consecutive": 3}},
    }
    stage.scripts["pool-2"].broken = True
    with stage.policy("MeshCircuitBreaker", "web", to=to("pool", outlierDetection=outliers)):

        def is_left_out() -> bool:
            stage.answered_by()
            return stage.web.envoy.stat("cluster.pool.outlier_detection.ejections_active") == 1

        eventually("the broken one is left out", is_left_out)
        found = [stage.ask(service="pool") for _ in range(20)]
        assert {each.status for each in found} == {200}
        assert {each.json["application"] for each in found} == {"pool-1"}
        # It would be a hit only by asking it, which nobody does any more.
        stage.scripts["pool-2"].broken = False
        assert stage.answered_by() == {"pool-1"}


def test_an_instance_that_is_not_well_gets_nothing_until_it_is_well(stage: Shop) -> None:
    check = {
        "interval": "100ms",
        "noTrafficInterval": "100ms",
        "timeout": LONG,
        "unhealthyThreshold": 1,
        "healthyThreshold": 1,
        "http": {"path": HEALTH},
    }
    second = stage.scripts["pool-2"]
    with stage.policy("MeshHealthCheck", "web", to=to("pool", **check)):
        eventually("it is asked", lambda: second.asked[HEALTH] > 0)
        assert stage.answered_by() == {"pool-1", "pool-2"}
        second.well = False
        eventually("the other one is asked alone", lambda: stage.answered_by() == {"pool-1"})
        second.well = True
        eventually("both are asked", lambda: stage.answered_by() == {"pool-1", "pool-2"})


def test_more_requests_than_the_limit_are_answered_429(stage: Shop) -> None:
    rate = {"num": 3, "interval": LONG}
    said = {"headers": {"set": [{"name": "x-why", "value": "too many"}]}}
    local = {"http": {"requestRate": rate, "onRateLimit": said}}
    with stage.policy("MeshRateLimit", "backend", from_=by_mesh(local=local)):
        eventually("it is too much", lambda: stage.ask().status == 429)
        answer = stage.ask()
        assert (answer.status, answer.body) == (429, b"local_rate_limited")
        assert answer.headers["x-why"] == "too many"
        counted = stage.backend.envoy.stats("rate_limit.http_local_rate_limit.ok$")
        assert list(counted.values()) == [3]


def test_more_connections_than_the_limit_are_closed(stage: Shop) -> None:
    local = {"tcp": {"connectionRate": {"num": 2, "interval": LONG}}}

    def is_closed() -> bool:
        try:
            ask(stage.backend.inbound)
        except (http.client.HTTPException, OSError):
            return True
        return False

    with stage.policy("MeshRateLimit", "backend", from_=by_mesh(local=local)):
        eventually("it is closed", is_closed)
        assert is_closed()
        counted = stage.backend.envoy.stats("tcp_rate_limit.rate_limited$")
        assert min(counted.values()) >= 2


def test_who_is_meant_gets_the_error_and_nobody_else(stage: Shop) -> None:
    fault = {"abort": {"httpStatus": 418, "percentage": 100}}
    with stage.policy("MeshFaultInjection", "backend", from_=by_service("web", http=[fault])):
        eventually("web is meant", lambda: stage.ask().status == 418)
        # Not by a proxy, and therefore without tags.
        assert ask(stage.backend.inbound).status == 200
        heard: Any = ask(stage.backend.inbound).json
        assert "x-kuma-tags" not in heard["headers"]
    eventually("web is spared", lambda: stage.ask().status == 200)
    with stage.policy("MeshFaultInjection", "backend", from_=by_service("shop", http=[fault])):
        eventually(
            "another one is meant", lambda: "[^&]*shop[,&]" in str(stage.told()["backend-1"])
        )
        assert stage.ask().status == 200


def test_a_request_is_held_back_as_long_as_said(stage: Shop) -> None:
    fault = {"delay": {"value": LONG, "percentage": 100}}
    limit = to("backend", connectionTimeout="7s", http={"requestTimeout": "200ms"})
    asked = stage.scripts["backend-1"].asked
    with stage.policy("MeshTimeout", "web", to=limit):
        with stage.policy("MeshFaultInjection", "backend", from_=by_mesh(http=[fault])):
            eventually("it comes too late", lambda: stage.ask().status == 504)
            path = fresh("/late")
            assert stage.ask(path).status == 504
            assert asked[path] == 0
        eventually(
            "it is not held back", lambda: "http.fault" not in str(stage.told()["backend-1"])
        )
    # The old connection stays under the old rules while no answer comes by it. With the cluster,
    # whose time to connect is another one, it is given up.
    eventually("it comes", lambda: stage.ask().status == 200)


def test_answers_are_sent_no_faster_than_said(stage: Shop) -> None:
    fault = {"responseBandwidth": {"limit": "64kbps", "percentage": 100}}
    with stage.policy("MeshFaultInjection", "backend", from_=by_mesh(http=[fault])):

        def is_slow() -> bool:
            assert stage.ask().status == 200
            return sum(stage.backend.envoy.stats("fault.response_rl_injected$").values()) > 0

        eventually("it is limited", is_slow)
