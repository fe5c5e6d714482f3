"""The control plane goes, or shows another certificate: Envoy serves on."""

from __future__ import annotations

import os
import signal
import ssl
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.daemons.tls_peers import pair
from support.data_plane.applications import Load
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system


def _updates(proxy: Proxy) -> dict[str, int]:
    """How often it was told something. Secrets are left out: the key of its certificate is nowhere
    but in the control plane's memory, so the next one makes it another.
    """
    told = proxy.envoy.updates("success").items()
    return {name: count for name, count in told if count and not name.startswith("sds.")}


def test_traffic_never_stops_and_nothing_is_sent_anew_when_the_control_plane_is_killed(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        stage.permit()
        stage.mesh("STRICT")
        eventually("the mesh's TLS is on", lambda: _speaks_tls(web))
        eventually("both are online", lambda: stage.is_online(web) and stage.is_online(backend))
        load = Load(web.outbound("backend"))
        with load.running():
            load.wait_for_more()
            before = {proxy.name: _updates(proxy) for proxy in (web, backend)}
            stage.daemon.stop(signal.SIGKILL)
            for proxy in (web, backend):
                eventually("it is alone", lambda proxy=proxy: not proxy.envoy.stream_is_up())
            load.wait_for_more()

            stage.daemon.start()

            for proxy in (web, backend):
                eventually("it is back", lambda proxy=proxy: proxy.envoy.stream_is_up())
                eventually("it is online", lambda proxy=proxy: stage.is_online(proxy))
            load.wait_for_more()
            # What follows is told, and it alone: an answer in between would have been counted.
            second = stage.start(stage.proxy("backend-2", "backend"))
            eventually("the new endpoint serves", lambda: second.name in load.answered_by)
            before[web.name]["cluster.backend.update_success"] += 1
            assert {proxy.name: _updates(proxy) for proxy in (web, backend)} == before
        assert load.failures == []
        assert stage.daemon.api("GET", "/license").json["activeDataplaneProxies"] == 3


def _speaks_tls(web: Proxy) -> bool:
    """A request is answered over the mesh's TLS."""
    return answers(web.outbound("backend")) and web.envoy.stat("cluster.backend.ssl.handshake") > 0


def test_a_renewed_certificate_is_shown_to_who_connects_and_streams_live_on(
    tmp_path: Path,
) -> None:
    old, new = pair("127.0.0.1"), pair("127.0.0.1", days=20)
    folder = tmp_path / "tls"
    folder.mkdir()
    certificate, key = old.write(folder)
    own = {
        "KUMA_GENERAL_TLS_CERT_FILE": os.fspath(certificate),
        "KUMA_GENERAL_TLS_KEY_FILE": os.fspath(key),
    }
    with staged(tmp_path, own) as stage:
        web, _ = stage.pair(authority=old.certificate.decode())
        connections = web.envoy.stat("cluster.ads_cluster.upstream_cx_total")

        new.write(folder)
        stage.daemon.send_signal(signal.SIGHUP)

        eventually("the new one is shown", lambda: _shown(stage) == new.certificate.decode())
        assert web.envoy.stream_is_up()
        stage.permit()
        stage.mesh("STRICT")
        eventually("the old stream brings TLS", lambda: _speaks_tls(web))
        assert web.envoy.stat("cluster.ads_cluster.upstream_cx_total") == connections
        later = stage.proxy("late-1", "late")
        stage.start(later, authority=new.certificate.decode())
        assert later.envoy.stream_is_up()


def _shown(stage: Stage) -> str:
    return ssl.get_server_certificate(("127.0.0.1", stage.port), timeout=HANG_SECONDS)
