"""Proxies on their streams, from the first request to the end.

One task reads what the proxy says, one follows what it is to have, and one sends: a table of
core/discovery says what goes out in answer to either, so a slow proxy holds up itself alone.

Source: docs/wire/streams.md#stream
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NamedTuple, NoReturn, Protocol

import trio

from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.core.admission.seats import SeatId
from kong_mesh_cp.core.admission.socket_messages import StreamRefusal
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.exchanges import Refusal, Request, Response
from kong_mesh_cp.core.discovery.ordered_stream import OrderedStream
from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.discovery.type_order import SECRETS
from kong_mesh_cp.core.identity.proxy_rules import ProxyRefusedError, require_same_node
from kong_mesh_cp.core.insights.certificate_facts import CertificateFacts
from kong_mesh_cp.core.insights.proxy_versions import proxy_version
from kong_mesh_cp.core.xds.node_metadata import ProxyMetadata
from kong_mesh_cp.usecases.admission.seating import Seating
from kong_mesh_cp.usecases.data_plane.authentication import ProxyKind
from kong_mesh_cp.usecases.data_plane.joining import (
    LOGGED_CHARACTERS_MAX,
    Arrival,
    Joined,
)
from kong_mesh_cp.usecases.data_plane.stream_insight import StreamInsight
from kong_mesh_cp.usecases.data_plane.stream_metrics import StreamMetrics
from kong_mesh_cp.usecases.data_plane.stream_ports import (
    Configuring,
    Ending,
    NodeTold,
    ProxyStream,
    Received,
    StreamEndedError,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock

# Refused in a row, of one type: the first change after a refusal may be its remedy, and is sent at
# once; what goes on being refused while it goes on changing waits.
REFUSALS_AT_ONCE_MAX: Final = 1
UNSENT_RESPONSES_MAX: Final = 32  # of a stream; there are fewer types

Cause = Callable[[SeatId, Refusal], str]
"""What has made what a proxy refuses, as far as that is known: a policy, or ""."""

CertificateOf = Callable[[str, str], CertificateFacts | None]
"""The certificate in the newest configuration of a proxy, by mesh and name; None: it has none."""

MayBeTold = Callable[[str], bool]
"""Whether the log has room for one more refusal of this source."""

log = logging.getLogger(__name__)


class Entrance(Protocol):
    """Lets proxies in."""

    async def join(self, node: NodeTold | None, arrival: Arrival) -> Joined:
        """The caller gives the place back; where this is cancelled, or raises, that is done.

        Raises: StreamEndedError.
        """
        ...


def _unknown(_seat: SeatId, _refusal: Refusal) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """What holds for all streams."""

    nack_backoff_seconds: float = 5.0


class Streams:
    """The streams of one control plane. All methods belong to one event loop."""

    def __init__(
        self,
        joining: Entrance,
        seating: Seating,
        publishing: Configuring,
        *,
        wall_clock: WallClock,
        may_be_told: MayBeTold,
        terms: StreamTerms,
        metrics: StreamMetrics,
        cause: Cause = _unknown,
        certificate_of: CertificateOf | None = None,
    ) -> None:
        """`certificate_of` None: whoever knows calls `certify`."""
        self._joining = joining
        self._seating = seating
        self._publishing = publishing
        self._wall_clock = wall_clock
        self._may_be_told = may_be_told
        self._terms = terms
        self._metrics = metrics
        self._cause = cause
        self._certificate_of = certificate_of
        self._connected: dict[tuple[ProxyKind, SeatId], _Conversation] = {}

    @property
    def connected(self) -> int:
        """Proxies that have joined."""
        return len(self._connected)

    def certify(self, seat: SeatId, facts: CertificateFacts | None) -> None:
        """The proxy has taken this certificate, which its insight shows; None: there is none in
        its mesh. Until this is called the insight shows what it did.
        """
        conversation = self._connected.get((ProxyKind.DATAPLANE, seat))
        if conversation is not None:
            conversation.insight.certify(facts)

    def refused(self, seat: SeatId) -> StreamRefusal | None:
        """What the proxy has not taken, and has not been given better since; of several types the
        last one in the order of types.
        """
        conversation = self._connected.get((ProxyKind.DATAPLANE, seat))
        if conversation is None:
            return None
        table = conversation.table
        found = [each for url, each in table.refusals.items() if url in table.refused]
        if not found:
            return None
        return StreamRefusal(type=found[-1].type_url.rpartition(".")[2], reason=found[-1].text)

    async def serve(self, stream: ProxyStream) -> None:
        """Until the proxy has no more to say. Cancel it when the proxy, or the control plane,
        goes. Raises: StreamEndedError, and what `stream` raises.
        """
        first = await stream.receive()
        if first is None:
            return
        self._metrics.opened += 1
        try:
            with ExitStack() as place:
                await self._converse(stream, first, place)
        except StreamEndedError as error:
            self._note_end(stream, error, first.node)
            raise
        finally:
            self._metrics.opened -= 1

    async def _converse(self, stream: ProxyStream, first: Received, place: ExitStack) -> None:
        table, over = stream.table(), trio.Event()
        place.callback(over.set)
        insight: StreamInsight

        def facts(metadata: ProxyMetadata) -> StreamInsight:
            nonlocal insight
            version = proxy_version(metadata.version, metadata.dynamic)
            insight = StreamInsight(version, table, self._wall_clock)
            return insight

        arrival = Arrival(stream=stream, facts=facts, place=place, gone=over.is_set)
        joined = await self._joining.join(first.node, arrival)
        conversation = _Conversation(stream, table, insight, joined)
        try:
            self._connected[joined.key] = conversation
            with trio.CancelScope() as scope:
                joined.place.attach(scope.cancel)
                await self._told_and_heard(conversation, first.request)
            joined.place.raise_if_ended()
        finally:
            if self._connected.get(joined.key) is conversation:
                del self._connected[joined.key]
            if stream.stopping:
                # We end the stream, not the proxy: it will be back, here or elsewhere.
                joined.place.keep()
            joined.place.release()

    async def _told_and_heard(self, conversation: _Conversation, first: Request) -> None:
        self._hear(conversation, first)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, conversation)
            nursery.start_soon(self._follow, conversation)
            wrong = await self._listen(conversation)
            nursery.cancel_scope.cancel()
        if wrong is not None:  # raised here, where no nursery wraps it
            raise wrong

    async def _listen(self, conversation: _Conversation) -> StreamEndedError | None:
        """Until the proxy has no more to say, or has said what it may not."""
        while (received := await conversation.stream.receive()) is not None:
            # Only the first request has to say who it is, and another one may.
            if received.node is not None and received.node.id:
                try:
                    require_same_node(conversation.joined.node_id, received.node.id)
                except ProxyRefusedError as error:
                    return StreamEndedError(Ending.REFUSED, error.message, code="node-id-changed")
            self._hear(conversation, received.request)
            await conversation.outbox.room()
        return None

    def _hear(self, conversation: _Conversation, request: Request) -> None:
        table, url = conversation.table, request.type_url
        before = table.refusals.get(url)
        conversation.outbox.put(table.request(request))
        refusal = table.refusals.get(url)
        if refusal is not None and refusal is not before:
            conversation.refused_at = trio.current_time()
            conversation.refused_in_a_row[url] = conversation.refused_in_a_row.get(url, 0) + 1
            self._metrics.refused[url] += 1
            self._tell(conversation, refusal)
        elif url not in table.refused:
            conversation.refused_in_a_row.pop(url, None)
        conversation.insight.count()
        self._look_at_certificate(conversation)

    def _look_at_certificate(self, conversation: _Conversation) -> None:
        """An insight says what the proxy has taken: others may rely on that."""
        sent = conversation.certificate
        taken = conversation.table.acknowledged.get(SECRETS)
        if sent is not None and taken is not None and dict(taken.resources) == sent.secrets:
            conversation.insight.certify(sent.facts)

    def _tell(self, conversation: _Conversation, refusal: Refusal) -> None:
        """Once for each content, however often it is refused."""
        seat, url = conversation.joined.seat, refusal.type_url
        if conversation.told.get(url) == refusal.version:
            return
        conversation.told[url] = refusal.version
        if not self._may_be_told(seat.path):
            return
        cause = self._cause(seat, refusal)
        log.warning(
            "configuration-refused: %s has not taken its %s and goes on with those of before: %s%s",
            seat.path,
            url.rpartition(".")[2],
            ascii(refusal.text[:LOGGED_CHARACTERS_MAX])[1:-1],
            f" (from {cause})" if cause else "",
        )

    async def _follow(self, conversation: _Conversation) -> NoReturn:
        async with self._publishing.watching(conversation.joined.proxy) as watch:
            while True:
                await watch.changed()
                began = trio.current_time()
                await self._have_patience(conversation)
                conversation.outbox.put(conversation.table.publish(watch.snapshot), began)
                self._note_certificate(conversation, watch.snapshot)
        raise AssertionError("a watch has no end")

    def _note_certificate(self, conversation: _Conversation, snapshot: Snapshot) -> None:
        if self._certificate_of is None:
            return
        made = snapshot.by_type.get(SECRETS)
        if made is None or not made.resources:
            conversation.certificate = None
            conversation.insight.certify(None)
            return
        secrets = {name: each.version for name, each in made.resources.items()}
        seat = conversation.joined.seat
        facts = self._certificate_of(seat.mesh, seat.name)
        conversation.certificate = _Certificate(secrets, facts)
        self._look_at_certificate(conversation)

    async def _have_patience(self, conversation: _Conversation) -> None:
        if max(conversation.refused_in_a_row.values(), default=0) > REFUSALS_AT_ONCE_MAX:
            await trio.sleep_until(conversation.refused_at + self._terms.nack_backoff_seconds)

    async def _send(self, conversation: _Conversation) -> NoReturn:
        while True:
            response, since = await conversation.outbox.next()
            await conversation.stream.send(response)
            self._metrics.sent[response.type_url] += 1
            if since is not None:
                self._metrics.note_delay(trio.current_time() - since)
            conversation.insight.count()

    def _note_end(
        self, stream: ProxyStream, error: StreamEndedError, node: NodeTold | None
    ) -> None:
        self._metrics.ended[error.code] += 1
        if error.ending in {Ending.FULL, Ending.NOT_NOW}:
            self._seating.count_refusal(RefusalCode(error.code))
        if self._may_be_told(stream.address):
            log.info(
                "stream-ended: %s: %s at %s: %s%s",
                error.code,
                ascii(node.id[:LOGGED_CHARACTERS_MAX])[1:-1] if node else "-",
                stream.address,
                ascii(error.message[:LOGGED_CHARACTERS_MAX])[1:-1],
                ascii(f". {error.hint[:LOGGED_CHARACTERS_MAX]}")[1:-1] if error.hint else "",
            )


class _Outbox:
    """What is to be sent, in order, and since when a proxy lacks it. A table has at most one
    response of a type under way, so it holds no more than there are types: unless a proxy answers
    what it has not read, which it has to do before it is heard again.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Response, float | None]] = deque()
        self._news = trio.Event()
        self._taken = trio.Event()

    def put(self, responses: tuple[Response, ...], since: float | None = None) -> None:
        if responses:
            self._waiting.extend((each, since) for each in responses)
            self._news.set()

    async def next(self) -> tuple[Response, float | None]:
        while not self._waiting:
            self._news = trio.Event()
            await self._news.wait()
        self._taken.set()
        return self._waiting.popleft()

    async def room(self) -> None:
        """Return when there is not much in it."""
        while len(self._waiting) > UNSENT_RESPONSES_MAX:
            self._taken = trio.Event()
            await self._taken.wait()


class _Certificate(NamedTuple):
    """What is said of the secrets that were sent, once all of them were taken."""

    secrets: dict[str, str]  # their versions, by name
    facts: CertificateFacts | None


class _Conversation:
    """One stream of a proxy that has joined."""

    def __init__(
        self, stream: ProxyStream, table: OrderedStream, insight: StreamInsight, joined: Joined
    ) -> None:
        self.stream = stream
        self.table = table
        self.insight = insight
        self.joined = joined
        self.outbox = _Outbox()
        self.told: dict[str, str] = {}  # the version of a type whose refusal was logged last
        self.refused_in_a_row: dict[str, int] = {}  # by type
        self.refused_at = 0.0
        self.certificate: _Certificate | None = None
