"""Metrics on their way from applications and Envoy to Prometheus, on real sockets."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import trio

from kong_mesh_cp.core.errors import ListenError
from kuma_dp.metrics import gathering
from kuma_dp.metrics.mesh_metric import Application
from kuma_dp.metrics.serving import MetricsSettings, serve
from support.data_plane.metric_peers import Metrics, Scraped, http, scrape
from support.suites.patience import HANG_SECONDS
from support.suites.turns import share_of_longest_turn

ENVOY = """# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_cluster_name="backend-c72efb5be46fae6b"} 3
envoy_cluster_upstream_rq{envoy_cluster_name="ads_cluster"} 1
# TYPE envoy_lds_version gauge
envoy_lds_version 1
"""
PLAIN = {"/stats": http(ENVOY)}
REFRESH_SECONDS = 0.1


def app(text: str = "# TYPE app_requests gauge\napp_requests 1\n") -> Metrics:
    return Metrics({"/metrics": http(text)})


class Stage:
    """The server, and its sources."""

    def __init__(self, folder: Path, envoy: Metrics, *apps: Metrics) -> None:
        self.folder, self.envoy, self.apps = folder, envoy, apps

    async def scrape(self, target: str = "/", *headers: str) -> Scraped:
        return await scrape(str(self.folder / "kuma-mh-web-1-shop.sock"), target, *headers)

    async def scraped_with(self, text: str) -> Scraped:
        """Scrape until `text` is in the answer."""
        with trio.fail_after(HANG_SECONDS):
            while True:
                scraped = await self.scrape("/meshmetric")
                if text in scraped.body:
                    return scraped
                await trio.sleep(0.02)


def plain_settings(folder: Path, envoy_port: int) -> MetricsSettings:
    """Those of a proxy without applications."""
    return MetricsSettings(
        workdir=str(folder),
        mesh="shop",
        name="web-1",
        service="web",
        address="127.0.0.1",
        envoy_port=envoy_port,
    )


@asynccontextmanager
async def running(folder: Path, envoy: Metrics, *apps: Metrics) -> AsyncIterator[Stage]:
    async with trio.open_nursery() as nursery:
        for each in (envoy, *apps):
            await nursery.start(each.serve)
        settings = replace(
            plain_settings(folder, envoy.port),
            applications=tuple(
                Application(name=f"app-{n}", host="", port=each.port, path="/metrics")
                for n, each in enumerate(apps)
            ),
            redirected=True,
            refresh_seconds=REFRESH_SECONDS,
        )
        await nursery.start(partial(serve, settings))
        yield Stage(folder, envoy, *apps)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def told(folder: Path, **metrics: object) -> AsyncIterator[None]:
    """What Envoy serves of a MeshMetric, while it does."""
    text = json.dumps({"observability": {"metrics": metrics}})
    path = folder / "kuma-mesh-metric-config.sock"
    async with trio.open_nursery() as nursery:
        server = Metrics({"/meshmetric": http(text, Content_Type="application/json")})
        await nursery.start(server.serve_at, str(path))
        yield
        nursery.cancel_scope.cancel()


async def test_of_two_labels_that_become_one_the_last_counts(tmp_path: Path) -> None:
    labels = {"a.b": "1", "a-b": "2"}
    async with told(tmp_path, extraLabels=labels), running(tmp_path, Metrics(PLAIN)) as stage:
        scraped = await stage.scraped_with("a_b=")
    assert scraped.samples[0].count("a_b=") == 1
    assert 'a_b="2"' in scraped.samples[0]


async def test_envoy_and_applications_are_one_answer(tmp_path: Path) -> None:
    async with running(tmp_path, Metrics(PLAIN), app()) as stage:
        scraped = await stage.scrape()
        assert scraped.status == 200
        assert "content-type: text/plain; version=0.0.4; charset=utf-8" in scraped.head.lower()
        assert scraped.samples == [
            "app_requests 1",
            'envoy_cluster_upstream_rq{envoy_cluster_name="backend",kuma_io_mesh_traffic="true"} 3',
            'envoy_cluster_upstream_rq{envoy_cluster_name="ads_cluster"} 1',
            "envoy_lds_version 1",
        ]


async def test_envoy_gets_the_query_of_the_scraper_and_applications_do_not(tmp_path: Path) -> None:
    async with running(tmp_path, Metrics(PLAIN), app()) as stage:
        await stage.scrape("/?usedonly&filter=a%26b&format=json")
        target = stage.envoy.asked[0].split()[1]
        assert parse_qsl(target.partition("?")[2], keep_blank_values=True) == [
            ("usedonly", ""),
            ("filter", "a&b"),
            ("format", "prometheus"),
            ("text_readouts", ""),
        ]
        assert stage.apps[0].asked[0].startswith("GET /metrics HTTP/1.1\r\n")


async def test_what_prometheus_says_of_itself_is_passed_on(tmp_path: Path) -> None:
    async with running(tmp_path, Metrics(PLAIN), app()) as stage:
        await stage.scrape(
            "/", "User-Agent: Prometheus/3", "X-Prometheus-Scrape-Timeout-Seconds: 5", "Cookie: a"
        )
        head = stage.apps[0].asked[0].lower()
        assert "user-agent: prometheus/3" in head
        assert "x-prometheus-scrape-timeout-seconds: 5" in head
        assert "cookie" not in head


async def test_a_mesh_metric_says_what_is_published(tmp_path: Path) -> None:
    application = app()
    async with trio.open_nursery() as nursery:
        await nursery.start(application.serve)
        applications = [{"name": "a", "port": application.port, "path": "/metrics"}]
        metrics = {
            "applications": applications,
            "backends": [{"type": "Prometheus"}],
            "extraLabels": {"kuma_io_zone": 'e"ast', "not-a.label": "x"},
        }
        async with told(tmp_path, **metrics), running(tmp_path, Metrics(PLAIN)) as stage:
            scraped = await stage.scraped_with("app_requests{")
        nursery.cancel_scope.cancel()
    labels = 'mesh="shop",dataplane="web-1",service="web",kuma_io_zone="e\\"ast",not_a_label="x"'
    assert scraped.samples == [
        f"app_requests{{{labels}}} 1",
        f'envoy_cluster_upstream_rq{{envoy_cluster_name="backend-c72efb5be46fae6b",{labels}}} 3',
    ]
    query = stage.envoy.asked[-1].split()[1].partition("?")[2]
    assert ("usedonly", "") in parse_qsl(query, keep_blank_values=True)


async def test_labels_of_the_proxy_take_the_place_of_an_applications_own(tmp_path: Path) -> None:
    application = app('a{service="mine",x="1"} 1\n')
    async with running(tmp_path, Metrics(PLAIN), application) as stage:
        scraped = await stage.scraped_with("a{")
        assert scraped.samples[0] == 'a{x="1",mesh="shop",dataplane="web-1",service="web"} 1'


async def test_unused_metrics_are_asked_for_where_the_policy_wants_them(tmp_path: Path) -> None:
    sidecar = {"includeUnused": True, "profiles": {"appendProfiles": [{"name": "All"}]}}
    async with told(tmp_path, sidecar=sidecar), running(tmp_path, Metrics(PLAIN)) as stage:
        await stage.scraped_with("envoy_lds_version")
        query = stage.envoy.asked[-1].split()[1].partition("?")[2]
        assert "usedonly" not in dict(parse_qsl(query, keep_blank_values=True))


async def test_a_policy_that_goes_leaves_envoys_basic_profile(tmp_path: Path) -> None:
    """Envoy leaves its socket behind, and nobody listens at it."""
    async with running(tmp_path, Metrics(PLAIN), app()) as stage:
        sidecar = {"profiles": {"appendProfiles": [{"name": "All"}]}}
        async with told(tmp_path, sidecar=sidecar):
            await stage.scraped_with("envoy_lds_version")
        with trio.fail_after(HANG_SECONDS):
            while "envoy_lds_version" in (await stage.scrape("/meshmetric")).body:
                await trio.sleep(0.02)


async def test_what_cannot_be_done_of_a_policy_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    exclude = [{"type": "Regex", "match": "(a+)+$"}]
    metrics = {
        "sidecar": {"profiles": {"appendProfiles": [{"name": "All"}], "exclude": exclude}},
    }
    async with told(tmp_path, **metrics), running(tmp_path, Metrics(PLAIN)) as stage:
        await stage.scraped_with("envoy_lds_version")
        await trio.sleep(3 * REFRESH_SECONDS)
    assert caplog.text.count("metrics-pattern-refused: ") == 1


async def test_a_document_that_is_none_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with told(tmp_path, applications=1), running(tmp_path, Metrics(PLAIN), app()) as stage:
        with trio.fail_after(HANG_SECONDS):
            while "metrics-configuration-unreadable: " not in caplog.text:
                await trio.sleep(0.02)
        assert (await stage.scrape("/meshmetric")).status == 200


async def garbage(stream: trio.abc.Stream, _: str) -> None:
    await stream.send_all(b"\0" * 1000)


async def cut(stream: trio.abc.Stream, _: str) -> None:
    await stream.send_all(http("a 1\nb 2\n", Content_Length="9999"))


async def endless(stream: trio.abc.Stream, _: str) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (garbage, "its answer is not HTTP"),
        (cut, "its answer is cut short"),
        (endless, "its head has no end"),
        (http("", status="500 Internal Server Error"), "it answers with 500"),
        (http("", status="302 Found", Location="http://example.org/"), "to another server"),
        (http("", status="302 Found", Location="/metrics"), "it redirects and redirects"),
    ],
)
async def test_a_source_that_fails_takes_none_of_the_others_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, page: bytes, why: str
) -> None:
    broken = Metrics({"/metrics": page})
    async with running(tmp_path, Metrics(PLAIN), broken, app()) as stage:
        for _ in range(2):
            scraped = await stage.scrape()
            assert "app_requests 1" in scraped.samples
            assert "envoy_lds_version 1" in scraped.samples
    assert caplog.text.count("metrics-source-silent: ") == 1
    assert why in caplog.text


async def test_a_source_that_does_not_answer_costs_less_than_the_scraper_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def silent(*_: object) -> None:
        await trio.sleep_forever()

    async with running(tmp_path, Metrics(PLAIN), Metrics({"/metrics": silent}), app()) as stage:
        scraped = await stage.scrape("/", "X-Prometheus-Scrape-Timeout-Seconds: 3")
        assert "app_requests 1" in scraped.samples
    assert "no whole answer within 2.7 s" in caplog.text


async def test_a_source_that_is_not_there_takes_none_of_the_others_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        absent = Metrics({}, port=reserved.getsockname()[1])
        async with running(tmp_path, Metrics(PLAIN)) as stage:
            pass
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, plain_settings(tmp_path, absent.port)))
            scraped = await stage.scrape()
            assert (scraped.status, scraped.body) == (200, "")
            nursery.cancel_scope.cancel()
    assert f"metrics-source-silent: envoy at 127.0.0.1:{absent.port}/stats" in caplog.text


@pytest.mark.parametrize("path", ["/", "/meshmetric"])
async def test_a_scrape_of_many_samples_leaves_the_loop_to_others(
    tmp_path: Path, path: str
) -> None:
    many = "".join(
        f'a_rq{{envoy_cluster_name="backend-{n:016x}-{n}"}} {n}\n' for n in range(20_000)
    )
    async with running(tmp_path, Metrics({"/stats": http(many)})) as stage:
        assert await share_of_longest_turn(partial(stage.scrape, path)) < 1 / 6


async def test_a_redirection_to_the_same_server_is_followed(tmp_path: Path) -> None:
    moved = http("", status="307 Temporary Redirect", Location="/metrics/")
    application = Metrics({"/metrics": moved, "/metrics/": http("a 1\n")})
    async with running(tmp_path, Metrics(PLAIN), application) as stage:
        assert "a 1" in (await stage.scrape()).samples


async def chunked(stream: trio.abc.Stream, _: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    await stream.send_all(head + b"2\r\na \r\n2\r\n1\n\r\n0\r\n\r\n")


async def until_closed(stream: trio.abc.Stream, _: str) -> None:
    await stream.send_all(b"HTTP/1.0 200 OK\r\n\r\na ")
    await stream.send_all(b"1\n")


@pytest.mark.parametrize("page", [chunked, until_closed])
async def test_answers_may_have_any_framing(tmp_path: Path, page: bytes) -> None:
    async with running(tmp_path, Metrics(PLAIN), Metrics({"/metrics": page})) as stage:
        assert "a 1" in (await stage.scrape()).samples


async def test_with_redirected_traffic_sources_are_asked_from_where_nothing_is_redirected(
    tmp_path: Path,
) -> None:
    peers = []

    async def page(stream: trio.abc.Stream, _: str) -> None:
        assert isinstance(stream, trio.SocketStream)
        peers.append(stream.socket.getpeername()[0])
        await stream.send_all(http("a 1\n"))

    async with running(tmp_path, Metrics(PLAIN), Metrics({"/metrics": page})) as stage:
        await stage.scrape()
    assert peers == ["127.0.0.6"]


async def test_an_answer_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gathering, "ANSWER_BYTES_MAX", 1000)
    async with running(
        tmp_path, Metrics(PLAIN), app("a 1\n" + 'b{x="' + "y" * 1000 + '"} 1\n')
    ) as stage:
        for _ in range(2):
            assert (await stage.scrape()).status == 507
    assert caplog.text.count("metrics-too-large: ") == 1


async def test_the_socket_is_of_its_user_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "kuma-mh-web-1-shop.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    async with running(tmp_path, Metrics(PLAIN)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_that_is_served_already_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, Metrics(PLAIN)) as stage:
        settings = MetricsSettings(
            workdir=str(tmp_path), mesh="shop", name="web-1", service="", address="", envoy_port=0
        )
        with pytest.raises(ListenError) as refused:
            await serve(settings)
        assert refused.value.code == "socket-taken"
        with pytest.raises(ListenError) as refused:
            await serve(replace(settings, workdir=str(tmp_path / "absent")))
        assert refused.value.code == "socket-unusable"
        assert (await stage.scrape()).status == 200
