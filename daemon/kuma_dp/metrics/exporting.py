"""Sends metrics to OpenTelemetry's collectors, through Envoy, again and again.

Source: docs/wire/beside-envoy.md#opentelemetry
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import trio

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.grpc_call import CallError, call
from kuma_dp.metrics.exposition import Family
from kuma_dp.metrics.mesh_metric import Exporter
from kuma_dp.metrics.otlp import EXPORT, requests
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

EXPORT_SECONDS_MAX: Final = 10.0
USER_AGENT: Final = "kuma-dp"


class Exporting:
    """One task for each exporter that a MeshMetric names."""

    def __init__(
        self,
        nursery: trio.Nursery,
        gather: Callable[[], Awaitable[Iterable[Family]]],
        service: str,
        nanoseconds: Callable[[], int],
    ) -> None:
        """`nanoseconds`: the wall clock, since 1970."""
        self._nursery = nursery
        self._gather = gather
        self._service = service
        self._nanoseconds = nanoseconds
        self._running: dict[Exporter, trio.CancelScope] = {}
        self._seldom = Seldom(log)

    def follow(self, exporters: Iterable[Exporter]) -> None:
        """Start those that are new, end those that are not there any more."""
        wanted = frozenset(exporters)
        for exporter in self._running.keys() - wanted:
            self._running.pop(exporter).cancel()
            log.info("metrics-export-ended: nothing goes to %s any more", printable(exporter.name))
        for exporter in wanted - self._running.keys():
            self._running[exporter] = scope = trio.CancelScope()
            self._nursery.start_soon(self._run, exporter, scope)
            log.info(
                "metrics-exporting: metrics go to %s every %.0f s",
                printable(exporter.name),
                exporter.seconds,
            )

    async def _run(self, exporter: Exporter, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                await trio.sleep(exporter.seconds)
                try:
                    with trio.fail_after(EXPORT_SECONDS_MAX):
                        await self._export(exporter)
                except (CallError, OSError, trio.TooSlowError) as error:
                    why = str(error) or f"no answer within {EXPORT_SECONDS_MAX:.0f} s"
                    self._seldom.warn(
                        exporter.name,
                        f"metrics-unexported: {printable(exporter.name)} does not take metrics"
                        f" ({printable(why)}); the next ones are sent in {exporter.seconds:.0f} s."
                        " Start its collector, or correct the MeshMetric",
                    )

    async def _export(self, exporter: Exporter) -> None:
        families = await self._gather()
        made = requests(families, self._service, self._nanoseconds())
        for message in await trio.to_thread.run_sync(list, made):  # seconds of work for many
            async with await trio.open_unix_socket(exporter.socket) as stream:
                await call(
                    stream,
                    authority="localhost",
                    path=EXPORT,
                    message=message,
                    user_agent=USER_AGENT,
                )
