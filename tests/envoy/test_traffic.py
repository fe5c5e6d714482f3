"""Services reach each other through the real Envoy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Load, ask
from support.data_plane.envoy_stage import Proxy, answers, staged
from support.data_plane.ways import WAYS

pytestmark = pytest.mark.system

ATTEMPTS = 20  # in a row, with two endpoints: the other one would have been chosen


@WAYS
def test_services_reach_each_other_and_their_envoys_refuse_nothing(
    tmp_path: Path, way: Mapping[str, str]
) -> None:
    with staged(tmp_path, way) as stage:
        web, backend = stage.pair()

        assert ask(web.outbound("backend")).json["application"] == "backend-1"
        for proxy in (web, backend):
            assert set(proxy.envoy.updates("rejected").values()) == {0}
            assert proxy.envoy.rejected() == []
            eventually("it is online", lambda proxy=proxy: stage.is_online(proxy))
            eventually(
                "all is acknowledged",
                lambda proxy=proxy: (
                    stage.responses(proxy, "Sent") == stage.responses(proxy, "Acknowledged") != {}
                ),
            )
        assert {"cds", "eds", "lds", "total"} <= stage.responses(web, "Sent").keys()
        assert "rejected" not in stage.daemon.stderr


def test_the_api_shows_what_envoy_has_and_counts(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, _ = stage.pair()

        dump = stage.daemon.api("GET", f"{web.path}/xds")
        stats = stage.daemon.api("GET", f"{web.path}/stats")
        clusters = stage.daemon.api("GET", f"{web.path}/clusters")

        assert (dump.status, stats.status, clusters.status) == (200, 200, 200)
        kinds = {each["@type"].rpartition(".")[2] for each in dump.json["configs"]}  # type: ignore[attr-defined]
        assert {"BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump"} <= kinds
        assert b"cluster.backend.upstream_rq_total: " in stats.body
        assert b"backend::" in clusters.body


def _answers_alone(web: Proxy, name: str) -> bool:
    place = web.outbound("backend")
    return {ask(place).json["application"] for _ in range(ATTEMPTS)} == {name}


def test_traffic_goes_to_the_other_endpoint_when_one_is_deleted(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        first = stage.proxy("backend-1", "backend")
        stage.put(first.path, first.resource)
        stage.start(first, registers=False)
        second = stage.start(stage.proxy("backend-2", "backend"))
        web = stage.start(stage.proxy("web-1", "web", to=("backend",)))
        eventually("it answers", lambda: answers(web.outbound("backend")))
        load = Load(web.outbound("backend"))
        with load.running():
            eventually("both serve", lambda: load.answered_by == {first.name, second.name})

            stage.delete(first.path)

            eventually("the other serves alone", lambda: _answers_alone(web, second.name))
            load.wait_for_more()
        assert load.failures == []


def test_no_request_fails_when_a_dataplane_is_replaced_under_its_name(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        backend = stage.proxy("backend-1", "backend")
        stage.put(backend.path, backend.resource)
        stage.start(backend, registers=False)
        web = stage.start(stage.proxy("web-1", "web", to=("backend",)))
        eventually("it answers", lambda: answers(web.outbound("backend")))
        load = Load(web.outbound("backend"))
        with load.running():
            for version in ("v1", "v2", "v3"):
                load.wait_for_more()
                replaced = dataclasses.replace(backend, tags={"version": version})
                stage.put(backend.path, replaced.resource)
                eventually(
                    "the endpoint has its tags",
                    lambda version=version: version in str(list(web.envoy.dump())),
                )
            load.wait_for_more()
        assert load.failures == []
