"""The spawned daemon and proxies on ADS: seats, the two doors, deletion, and a stop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from support.daemons.daemon import Daemon, eventually, free_port, running
from support.data_plane.ads_clients import AdsProxy, bootstrap, token

pytestmark = pytest.mark.system

LIMIT = 5  # of the pre-bundled license


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Daemon, int, str]]:
    """A daemon, its port for proxies, and a token for all proxies of the default mesh."""
    port = free_port()
    environment = {
        "KUMA_DP_SERVER_PORT": str(port),
        "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "1s",
        "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
    }
    with running(folder, environment=environment) as daemon:
        yield daemon, port, token(daemon)


def active(daemon: Daemon) -> object:
    return daemon.api("GET", "/license").json["activeDataplaneProxies"]


def subscriptions(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    answer = daemon.api("GET", f"/meshes/default/dataplane-insights/{name}")
    if answer.status != 200:
        return []
    listed: Any = answer.json["subscriptions"]
    return list(listed)


def test_the_sixth_is_refused_at_both_steps_in_one_text_and_comes_in_when_there_is_room(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as (daemon, port, credential), ExitStack() as stack:
        five = [
            stack.enter_context(AdsProxy(port, f"proxy-{number}", credential))
            for number in range(LIMIT)
        ]
        assert all(each.joined for each in five)
        assert active(daemon) == LIMIT

        answer = bootstrap(port, "one-more", credential)
        with AdsProxy(port, "one-more", credential) as one_more:
            assert not one_more.joined
            assert one_more.status is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert one_more.text.startswith("license-limit: all 5 seats of the pre-bundled license")
            assert (answer.status, answer.body.decode().strip()) == (403, one_more.text)
        assert bootstrap(port, "proxy-1", credential).status == 200  # a known one may come back

        five[0].leave()
        eventually("there is room", lambda: active(daemon) == LIMIT - 1)
        with AdsProxy(port, "one-more", credential) as one_more:
            assert one_more.joined


def test_a_process_and_its_envoy_are_one_proxy(tmp_path: Path) -> None:
    with serving(tmp_path) as (daemon, port, credential):
        with daemon.seat("backend-1") as process:
            assert process.admitted
            with AdsProxy(port, "backend-1", credential) as envoy:
                assert envoy.joined
                assert active(daemon) == 1
                listed: Any = daemon.local("GET", "/v1/admissions").json
                assert listed["total"] == 1
                assert listed["items"][0]["stream"] == {"address": "127.0.0.1"}
                assert listed["items"][0]["peer"]["uid"] >= 0
            assert active(daemon) == 1
        eventually("the seat is free", lambda: active(daemon) == 0)


def test_an_insight_shows_the_stream_with_what_was_sent_and_taken(tmp_path: Path) -> None:
    with serving(tmp_path) as (daemon, port, credential):
        with AdsProxy(port, "backend-1", credential) as envoy:
            assert envoy.joined
            eventually("it is online", lambda: len(subscriptions(daemon, "backend-1")) == 1)
            eventually(
                "its counts are shown",
                lambda: (
                    subscriptions(daemon, "backend-1")[0]["status"]["cds"]
                    == {"responsesSent": "1", "responsesAcknowledged": "1"}
                ),
            )
        path = "/meshes/default/dataplanes/backend-1"
        eventually("it is gone", lambda: daemon.api("GET", path).status == 404)


def test_a_stream_ends_when_its_dataplane_is_deleted(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as (daemon, port, credential),
        AdsProxy(port, "backend-1", credential) as envoy,
    ):
        assert daemon.api("DELETE", "/meshes/default/dataplanes/backend-1").status == 200

        envoy.wait_for_end()
        assert envoy.status is grpc.StatusCode.NOT_FOUND
        assert envoy.text.startswith("dataplane-deleted: ")


def test_a_stop_says_unavailable_and_keeps_the_seat_for_the_next_run(tmp_path: Path) -> None:
    with serving(tmp_path) as (daemon, port, credential), ExitStack() as stack:
        envoys = [
            stack.enter_context(AdsProxy(port, f"proxy-{number}", credential))
            for number in range(LIMIT)
        ]
        assert daemon.stop() == 0
        for envoy in envoys:
            envoy.wait_for_end()
            assert envoy.status is grpc.StatusCode.UNAVAILABLE

        daemon.start()
        with AdsProxy(port, "newcomer", credential) as newcomer:
            assert newcomer.status is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "5 of them kept for proxies from before the restart" in newcomer.text
        with AdsProxy(port, "proxy-3", credential) as known:
            assert known.joined
            path = "/meshes/default/dataplanes/proxy-3"
            assert json.loads(daemon.api("GET", path).body)["name"] == "proxy-3"
