"""Gathers the metrics of all sources for one scrape.

Source: docs/wire/beside-envoy.md#metrics
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlencode

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.prometheus_text import METRICS_CONTENT_TYPE
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT
from kuma_dp.applications import connect
from kuma_dp.fetching import FetchError, Wanted, fetch
from kuma_dp.metrics.envoy_clusters import of_services
from kuma_dp.metrics.exposition import (
    ExpositionReader,
    Family,
    Sample,
    exposition_of,
    merged,
)
from kuma_dp.metrics.mesh_metric import Application, MeshMetric
from kuma_dp.metrics.profiles import BASIC, without_own_clusters
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

MESH_METRIC_PATH: Final = "/meshmetric"
SCRAPES_AT_ONCE_MAX: Final = 2  # each holds the metrics of all sources in memory
SOURCE_SECONDS_MAX: Final = 10.0  # Prometheus' own bound for a scrape, if it says nothing else
ANSWER_BYTES_MAX: Final = 24 * 1024 * 1024
TIMEOUT_PART: Final = 0.9
ACCEPT: Final = "text/plain;version=0.0.4;q=1.0,application/openmetrics-text;version=1.0.0;q=0.5"
TIMEOUT_HEADER: Final = "x-prometheus-scrape-timeout-seconds"
_PASSED_ON: Final = ("user-agent", TIMEOUT_HEADER)

Families = dict[str, Family]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whose metrics they are, and where they come from."""

    mesh: str
    name: str
    service: str
    address: str
    envoy: tuple[str, int]
    applications: tuple[Application, ...]
    redirected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """One of whom something is asked."""

    name: str
    host: str
    port: int
    target: str
    keeps: Callable[[str], bool] = lambda _: True

    @property
    def authority(self) -> str:
        return join_host_port(self.host, self.port)


class Gathering:
    """Answers scrapes; `mesh_metric` is what the policy says by now, None where there is none.

    What sources say is read as it comes. What is made of all of it takes seconds where they have
    said much, and so has a thread.
    """

    def __init__(self, sources: Sources) -> None:
        self.mesh_metric: MeshMetric | None = None
        self._sources = sources
        self._turns = trio.CapacityLimiter(SCRAPES_AT_ONCE_MAX)
        self._seldom = Seldom(log)

    async def answer(self, request: Request) -> Response:
        async with self._turns:
            if request.path.startswith(MESH_METRIC_PATH):
                families = await self._by_mesh_metric(request.headers)
            else:
                families = await self._by_mesh(request)
            text = await trio.to_thread.run_sync(_text_of, families)
        if text is not None:
            return Response(200, text, METRICS_CONTENT_TYPE)
        self._seldom.warn(
            "large",
            f"metrics-too-large: the metrics of all sources have more than"
            f" {ANSWER_BYTES_MAX // 2**20} MiB; the scraper gets none. Choose a narrower profile in"
            " the MeshMetric",
        )
        return Response(507, b"metrics-too-large\n", PLAIN_TEXT)

    async def exported(self) -> list[Family]:
        """What a MeshMetric has published, for whoever it is sent to."""
        async with self._turns:
            return list((await self._by_mesh_metric({})).values())

    async def _by_mesh(self, request: Request) -> Families:
        """As the metrics of a Mesh ask for it: everything, clusters under their services."""
        given = parse_qsl(request.raw_query, keep_blank_values=True)
        query = [(name, value) for name, value in given if name != "format"]
        applications = self._of_applications(self._sources.applications)
        found = await self._gathered(request.headers, applications, self._of_envoy(query))

        def make() -> Families:
            for family in found[-1].values():
                of_services(family)
            return merged(found)

        return await trio.to_thread.run_sync(make)

    async def _by_mesh_metric(self, asked: Mapping[str, str]) -> Families:
        """`asked`: the headers of a scrape."""
        policy = self.mesh_metric
        applications = self._sources.applications if policy is None else policy.applications
        policy = policy or MeshMetric()
        selection = policy.selection
        query = [] if selection.include_unused else [("usedonly", "")]
        envoy = self._of_envoy(query, selection.test())
        found = await self._gathered(asked, self._of_applications(applications), envoy)

        def make() -> Families:
            if selection.widest == BASIC:
                for family in found[-1].values():
                    without_own_clusters(family)
            families = merged(found)
            for family in families.values():
                self._label(family, policy)
            return families

        return await trio.to_thread.run_sync(make)

    def _label(self, family: Family, policy: MeshMetric) -> None:
        """Give each sample the labels of the proxy, in place of its own of these names."""
        own = {
            "mesh": self._sources.mesh,
            "dataplane": self._sources.name,
            "service": self._sources.service,
        }
        given = {name: value for name, value in own.items() if value} | dict(policy.labels)
        names = {_NO_LABEL.sub("_", name): _escaped(value) for name, value in given.items()}
        labels = tuple(names.items())
        family.samples = [
            Sample(
                each.name,
                (*(label for label in each.labels if label[0] not in names), *labels),
                each.value,
                each.moment,
            )
            for each in family.samples
        ]

    def _of_applications(self, applications: Iterable[Application]) -> list[_Source]:
        return [
            _Source(
                name=each.name or f"port {each.port}",
                host=each.host or self._sources.address,
                port=each.port,
                target=each.path if each.path.startswith("/") else f"/{each.path}",
            )
            for each in applications
        ]

    def _of_envoy(
        self, query: list[tuple[str, str]], keeps: Callable[[str], bool] = lambda _: True
    ) -> _Source:
        host, port = self._sources.envoy
        query = [*query, ("format", "prometheus"), ("text_readouts", "")]
        target = f"/stats?{urlencode(query)}"
        return _Source(name="envoy", host=host, port=port, target=target, keeps=keeps)

    async def _gathered(
        self, asked: Mapping[str, str], applications: list[_Source], envoy: _Source
    ) -> list[Families]:
        """The families of each application, and last those of Envoy."""
        headers = {"Accept": ACCEPT} | {name: asked[name] for name in _PASSED_ON if name in asked}
        seconds = _seconds(asked.get(TIMEOUT_HEADER, ""))
        sources = [*applications, envoy]
        found: list[Families] = [{} for _ in sources]

        async def gather(number: int, source: _Source) -> None:
            found[number] = await self._scrape(source, headers, seconds)

        async with trio.open_nursery() as nursery:
            for number, each in enumerate(sources):
                if each.port:
                    nursery.start_soon(gather, number, each)
        return found

    async def _scrape(
        self, source: _Source, headers: Mapping[str, str], seconds: float
    ) -> Families:
        """None of what a source has said where it has not said all."""
        reader = ExpositionReader()

        def begin(content_type: str) -> ExpositionReader:
            nonlocal reader
            reader = ExpositionReader(content_type, source.keeps)
            return reader

        wanted = Wanted(
            connect=partial(connect, source.host, source.port, redirected=self._sources.redirected),
            authority=source.authority,
            target=source.target,
            headers=headers,
        )
        try:
            with trio.fail_after(seconds):
                await fetch(wanted, begin)
        except (FetchError, trio.TooSlowError) as error:
            why = str(error) or f"no whole answer within {seconds:.1f} s"
            self._warn(source, "metrics-source-silent", f"has no metrics: {why}. {_MEND}")
            return {}
        reader.end()
        if reader.malformed:
            self._warn(
                source,
                "metrics-malformed",
                f"has sent {reader.malformed} lines that are no metrics, or too many of them."
                f" {_MEND}",
            )
        return reader.families

    def _warn(self, source: _Source, code: str, what: str) -> None:
        name = f"{source.name} at {source.authority}{source.target.partition('?')[0]}"
        self._seldom.warn(f"{code} {name}", f"{code}: {printable(name)} {printable(what)}")


_MEND: Final = "Mend it, or take it out of the Mesh or MeshMetric"
_NO_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]|^(?=[0-9])")


def _text_of(families: Families) -> bytes | None:
    """None: it is too large."""
    parts, size = list[bytes](), 0
    for name in sorted(families):
        family = families.pop(name)
        if not family.samples:
            continue
        parts.append(exposition_of(family).encode())
        size += len(parts[-1])
        if size > ANSWER_BYTES_MAX:
            return None
    return b"".join(parts)


def _seconds(timeout: str) -> float:
    """For each source: what the scraper leaves, and a part of it for the way back."""
    try:
        given = float(timeout)
    except ValueError:
        return SOURCE_SECONDS_MAX
    return min(given * TIMEOUT_PART, SOURCE_SECONDS_MAX) if given > 0 else SOURCE_SECONDS_MAX


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
