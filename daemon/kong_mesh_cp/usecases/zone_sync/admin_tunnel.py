"""Asks the Envoys of zones, over the streams that the zones' control planes hold for that.

Source: docs/wire/zone-sync.md#envoys-of-zones
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import Final, Protocol

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.zone_sync.wire_messages import (
    AdminOutputFormat,
    AdminRequest,
    AdminResponse,
    ConfigDumpRequest,
    FormattedRequest,
)
from kong_mesh_cp.usecases.zone_sync.zone_insights import ZoneInsights

ANSWER_SECONDS: Final = 10.0  # that a zone gives its Envoys


class Question(Enum):
    """What is asked, each on a stream of its own."""

    CONFIG_DUMP = auto()
    STATS = auto()
    CLUSTERS = auto()


@dataclass(frozen=True, slots=True)
class _Names:
    """Of one question: in texts, and of the field that tells who holds its streams."""

    operation: str
    request: str
    insight: str


_NAMES: Final[Mapping[Question, _Names]] = {
    Question.CONFIG_DUMP: _Names(
        "XDS Config Dump", "XDSConfigRequest", "config_dump_global_instance_id"
    ),
    Question.STATS: _Names("Stats", "StatsRequest", "stats_global_instance_id"),
    Question.CLUSTERS: _Names("Clusters", "ClustersRequest", "clusters_global_instance_id"),
}


class TunnelError(Exception):
    """There is no answer; the text says why, as the original does."""


class AdminStream(Protocol):
    """A stream of one question."""

    async def receive(self) -> AdminResponse | None: ...
    async def send(self, request: AdminRequest) -> None: ...


class _Waiting:
    """An answer to come."""

    def __init__(self) -> None:
        self.come = trio.Event()
        self.response: AdminResponse | None = None


class _Stream:
    def __init__(self, stream: AdminStream) -> None:
        self.stream = stream
        self.waiting: dict[str, _Waiting] = {}


class AdminTunnel:
    """All streams of that kind that zones have opened here."""

    def __init__(self, insights: ZoneInsights, new_id: Callable[[], str]) -> None:
        self._insights = insights
        self._new_id = new_id
        self._streams: dict[tuple[str, Question], _Stream] = {}

    async def serve(self, zone: str, question: Question, stream: AdminStream) -> None:
        """Hold the stream until the zone has had enough; a newer one takes its place."""
        held = _Stream(stream)
        self._streams[zone, question] = held
        field = _NAMES[question].insight
        try:
            self._insights.asked_through(zone, field, here=True)
            while (response := await stream.receive()) is not None:
                waiting = held.waiting.pop(response.request_id, None)
                if waiting is not None:
                    waiting.response = response
                    waiting.come.set()
        finally:
            for waiting in held.waiting.values():
                waiting.come.set()
            if self._streams.get((zone, question)) is held:
                del self._streams[zone, question]
                self._insights.asked_through(zone, field, here=False)

    async def ask(
        self,
        zone: str,
        question: Question,
        proxy: ResourceKey,
        *,
        include_endpoints: bool = False,
        as_json: bool = False,
    ) -> bytes:
        """What Envoy says. `proxy`: its resource, by the name that it has in the zone.

        Raises: TunnelError.
        """
        names = _NAMES[question]
        held = self._streams.get((zone, question))
        if held is None:
            text = f"couldn't execute {names.operation} operation, zone is offline"
            raise TunnelError(text)
        request_id = self._new_id()
        waiting = held.waiting[request_id] = _Waiting()
        asked = _request(
            question, request_id, proxy, include_endpoints=include_endpoints, as_json=as_json
        )
        try:
            with trio.fail_after(ANSWER_SECONDS):
                await held.stream.send(asked)
                await waiting.come.wait()
        except trio.TooSlowError:
            text = f"could not send {names.request}: context deadline exceeded"
            raise TunnelError(text) from None
        finally:
            held.waiting.pop(request_id, None)
        response = waiting.response
        if response is None:
            raise TunnelError(f"could not send {names.request}: the zone has gone")
        if response.error is not None:
            raise TunnelError(f"could not send {names.request}: {response.error}")
        return response.content or b""


def _request(
    question: Question,
    request_id: str,
    proxy: ResourceKey,
    *,
    include_endpoints: bool,
    as_json: bool,
) -> AdminRequest:
    asked = partial(
        _KINDS[question],
        request_id=request_id,
        resource_type=proxy.type,
        resource_name=proxy.name,
        resource_mesh=proxy.mesh,
    )
    if question is Question.CONFIG_DUMP:
        return asked(include_eds=include_endpoints)
    return asked(format=AdminOutputFormat.JSON if as_json else AdminOutputFormat.TEXT)


_KINDS: Final[Mapping[Question, Callable[..., AdminRequest]]] = {
    Question.CONFIG_DUMP: ConfigDumpRequest,
    Question.STATS: FormattedRequest,
    Question.CLUSTERS: FormattedRequest,
}
