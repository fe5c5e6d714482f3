"""The pre-bundled license at real Envoys: five are served."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.envoy_stage import is_configured, staged
from support.data_plane.zone_proxies import start_zone_proxy

pytestmark = pytest.mark.system

LIMIT = 5
LEAVES_SOON = {"KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "1s"}


def test_the_sixth_envoy_gets_nothing_until_one_leaves_and_then_joins_by_itself(
    tmp_path: Path,
) -> None:
    with staged(tmp_path, LEAVES_SOON) as stage:
        proxies = [stage.proxy(f"web-{number}", "web") for number in range(LIMIT)]
        sixth = stage.proxy("late-1", "late")
        while_there_was_room = stage.bootstrap(sixth)
        for proxy in proxies:
            stage.start(proxy, serves=False)

        now = stage.bootstrap(sixth)
        assert now.status == 403
        assert b"license-limit" in now.body
        stage.launch(sixth, while_there_was_room)
        eventually(
            "it is refused, and tries again",
            lambda: sixth.envoy.stat("cluster.ads_cluster.upstream_rq_total") > 1,
        )
        assert sixth.envoy.updates("success").get("cluster_manager.cds.update_success") == 0
        assert all(proxy.envoy.stream_is_up() for proxy in proxies)

        proxies[0].envoy.stop()

        eventually("the sixth is configured", lambda: is_configured(sixth))
        assert stage.daemon.api("GET", "/license").json["activeDataplaneProxies"] == LIMIT


def test_zone_proxies_join_when_no_seat_is_left_and_take_none(tmp_path: Path) -> None:
    with staged(tmp_path, LEAVES_SOON) as stage, contextlib.ExitStack() as things:
        early = start_zone_proxy(stage, things, "egress-1", "egress")
        for number in range(LIMIT):
            stage.start(stage.proxy(f"web-{number}", "web"), serves=False)
        assert stage.bootstrap(stage.proxy("late-1", "late")).status == 403

        late = start_zone_proxy(stage, things, "ingress-1", "ingress")

        license_now = stage.daemon.api("GET", "/license").json
        assert license_now["activeDataplaneProxies"] == LIMIT
        assert license_now["allowedDataplaneProxies"] == LIMIT
        eventually("it offers", lambda: stage.get(late.path).get("availableServices"))
        assert early.envoy.stream_is_up()
        assert late.envoy.stream_is_up()
        assert stage.bootstrap(stage.proxy("late-2", "late")).status == 403
