"""The certificates of proxies: made when they are first needed, renewed in time, kept in memory.

One at a time is signed, in a thread, in the order in which they were asked for: a thousand proxies
that come back cost a thread a second or two, and nobody's configuration waits for it.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.prometheus_text import MetricFamily, Sample
from kong_mesh_cp.core.identity.workload import Leaf, leaf, renewal_at, uris_of
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.tags import Tags
from kong_mesh_cp.usecases.data_plane.credentials.mesh_authorities import (
    AuthoritiesInForce,
    MeshAuthorities,
)
from kong_mesh_cp.usecases.ports.state_store import WallClock
from kong_mesh_cp.usecases.resources.provided_authorities import InWorkerThread

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes.ca_pairs import SigningAuthority

CLOCK_SECONDS: Final = 30.0  # between two looks at the wall clock, which may jump
CLOCK_BACK_MAX: Final = timedelta(seconds=5)  # a correction by less is none to act upon
RETRY_SECONDS: Final = 10.0  # after an authority could not sign

log = logging.getLogger(__name__)


class SignedLeaf(NamedTuple):
    """A certificate and its key, in PEM."""

    chain: bytes
    key: bytes


SignLeaf = Callable[["SigningAuthority", Leaf], SignedLeaf]
"""Takes a millisecond, in a thread. Raises: ValueError for an authority that cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadIdentity:
    """The certificate of one proxy. The times are aware, in UTC."""

    chain: bytes
    key: bytes = field(repr=False)
    backend: str  # whose authority has signed it
    uris: tuple[str, ...]
    begins: datetime
    made_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySecrets:
    """What a proxy of a mesh with mTLS is given.

    `identity` None: it is being made, or no good authority is there. `trusted` are the backends
    whose certificates are in the bundle of its own mesh.
    """

    identity: WorkloadIdentity | None
    bundles: Mapping[str, bytes] = field(repr=False)  # by mesh, PEM; its own is among them
    trusted: tuple[str, ...]


class _Made(NamedTuple):
    identity: WorkloadIdentity
    authority: SigningAuthority
    lifetime: timedelta


@dataclass(slots=True)
class _Proxy:
    """One that was asked for. `settled` is set while there is nothing to be made for it."""

    uris: tuple[str, ...]
    made: _Made | None = None
    settled: trio.Event = field(default_factory=trio.Event)
    queued: bool = False
    failed: SigningAuthority | None = None  # it could not sign, and is asked again later


class WorkloadCertificates:
    """Of the proxies that this control plane serves. Belongs to the event loop.

    `changed` is called with each proxy that has another certificate, `mesh_changed` with each mesh
    of which other authorities are trusted; both at once and never for what stayed equal.
    """

    def __init__(
        self,
        authorities: AuthoritiesInForce,
        sign: SignLeaf,
        wall_clock: WallClock,
        *,
        changed: Callable[[ResourceKey], None] = lambda _proxy: None,
        mesh_changed: Callable[[str], None] = lambda _mesh: None,
        in_worker_thread: InWorkerThread | None = None,
    ) -> None:
        self._authorities = authorities
        authorities.changed = self._authorities_changed
        self._sign = sign
        self._wall_clock = wall_clock
        self.changed = changed
        self.mesh_changed = mesh_changed
        one_at_a_time = partial(trio.to_thread.run_sync, limiter=trio.CapacityLimiter(1))
        self._in_worker_thread = in_worker_thread or one_at_a_time
        self._proxies: dict[ResourceKey, _Proxy] = {}
        self._due: list[tuple[datetime, ResourceKey]] = []
        self._queue: dict[ResourceKey, None] = {}
        self._asked = trio.Event()
        self._signed: Counter[str] = Counter()
        self._failing: dict[str, str] = {}

    async def prepare(
        self, proxy: ResourceKey, tag_sets: Iterable[Tags], trusted: Iterable[str] = ()
    ) -> None:
        """Until `proxy` has what it needs, or nothing can be made for it now. `trusted` are other
        meshes that it knows.

        Its first stream waits for this, as long as it likes, so that the first answers have it all.
        Raises: StateError.
        """
        for mesh in (proxy.mesh, *trusted):
            await self._authorities.of(mesh)
        self.current(proxy, tag_sets)
        found = self._proxies.get(proxy)
        if found is not None:
            await found.settled.wait()

    def preparation(
        self, proxy: ResourceKey, tag_sets: Iterable[Tags], trusted: Collection[str] = ()
    ) -> Callable[[], Awaitable[None]] | None:
        """What to await before `current` has a certificate for `proxy`, and the authorities of
        other meshes that are `trusted`; None: nothing.

        One that it has already serves until its successor is made, of which `changed` is told.
        """
        if all(self._authorities.is_known(mesh) for mesh in (proxy.mesh, *trusted)):
            secrets = self.current(proxy, tag_sets)
            if secrets is None or secrets.identity is not None:
                return None
            if self._proxies[proxy].settled.is_set():
                return None
        return partial(self._prepare, proxy, tuple(tag_sets), trusted)

    async def _prepare(
        self, proxy: ResourceKey, tag_sets: Sequence[Tags], trusted: Collection[str]
    ) -> None:
        """As `prepare`, and a store that fails is asked again: who follows it says so."""
        while True:
            try:
                return await self.prepare(proxy, tag_sets, trusted)
            except StateError:
                await trio.sleep(RETRY_SECONDS)

    def current(self, proxy: ResourceKey, tag_sets: Iterable[Tags]) -> ProxySecrets | None:
        """What `proxy`, which has these tags, is given at this moment; None: there is no mTLS.

        What it lacks is made from here on. What it had before it has until then.
        """
        authorities = self._authorities.known(proxy.mesh)
        if authorities is None:
            self.forget(proxy)
            return None
        uris = uris_of(proxy.mesh, tag_sets)
        found = self._proxies.setdefault(proxy, _Proxy(uris))
        found.uris = uris
        self._look_at(proxy, found, authorities)
        return ProxySecrets(
            identity=None if found.made is None else found.made.identity,
            bundles=self._authorities.bundles(),
            trusted=authorities.trusted,
        )

    def retain(self, connected: Container[ResourceKey]) -> None:
        """Drop the keys of all proxies but `connected`."""
        for proxy in [each for each in self._proxies if each not in connected]:
            self.forget(proxy)

    def forget(self, proxy: ResourceKey) -> None:
        """Its last stream has ended: the key is dropped."""
        found = self._proxies.pop(proxy, None)
        self._queue.pop(proxy, None)
        if found is not None:
            found.settled.set()

    async def run(self) -> NoReturn:
        """Make what is asked for and renew what is due, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._authorities.run)
            nursery.start_soon(self._renew)
            while True:
                await self._asked.wait()
                self._asked = trio.Event()
                while self._queue:
                    proxy = next(iter(self._queue))
                    del self._queue[proxy]
                    found = self._proxies[proxy]
                    found.queued = False
                    await self._make(proxy, found, nursery)
        raise AssertionError("the nursery ends with an error or is cancelled")

    def metrics(self) -> tuple[MetricFamily, ...]:
        """One family: what was signed since the start."""
        samples = (Sample(count, (("mesh", mesh),)) for mesh, count in sorted(self._signed.items()))
        return (
            MetricFamily(
                "kong_mesh_workload_certificates_total",
                "counter",
                "Certificates that were made for the proxies of a mesh.",
                tuple(samples),
            ),
        )

    def _look_at(self, proxy: ResourceKey, found: _Proxy, authorities: MeshAuthorities) -> None:
        """Have made what is not right."""
        if (
            authorities.signing is None
            or found.failed is authorities.signing
            or self._is_right(found, authorities)
        ):
            found.settled.set()
            return
        if found.settled.is_set():
            found.settled = trio.Event()
        if not found.queued:
            found.queued = True
            self._queue[proxy] = None
            self._asked.set()

    def _is_right(self, found: _Proxy, authorities: MeshAuthorities) -> bool:
        made = found.made
        if made is None:
            return False
        now = self._wall_clock()
        identity = made.identity
        return (
            (identity.uris, identity.backend) == (found.uris, authorities.backend)
            and made.authority is authorities.signing
            and made.lifetime == authorities.lifetime
            and identity.begins <= now < renewal_at(identity.made_at, identity.ends_at)
        )

    async def _make(self, proxy: ResourceKey, found: _Proxy, nursery: trio.Nursery) -> None:
        authorities = self._authorities.known(proxy.mesh)
        if (
            authorities is None
            or authorities.signing is None
            # Asked for once more while it was made.
            or self._is_right(found, authorities)
        ):
            found.settled.set()
            return
        now = self._wall_clock()
        uris, authority = found.uris, authorities.signing
        asked = leaf(uris, authorities.lifetime, now)
        try:
            signed: SignedLeaf = await self._in_worker_thread(partial(self._sign, authority, asked))
        except ValueError as error:
            self._complain(proxy.mesh, authorities.backend, str(error))
            found.failed = authority
            found.settled.set()
            nursery.start_soon(self._try_again, proxy)
            return
        if self._proxies.get(proxy) is not found:
            return
        self._complain(proxy.mesh, authorities.backend, None)
        self._signed[proxy.mesh] += 1
        identity = WorkloadIdentity(
            chain=signed.chain,
            key=signed.key,
            backend=authorities.backend,
            uris=uris,
            begins=asked.begins,
            made_at=now,
            ends_at=asked.ends,
        )
        found.made = _Made(identity, authority, authorities.lifetime)
        heapq.heappush(self._due, (renewal_at(now, asked.ends), proxy))
        found.settled.set()
        # Tags or authorities may be others by now.
        self._look_again([proxy])
        self.changed(proxy)

    async def _try_again(self, proxy: ResourceKey) -> None:
        await trio.sleep(RETRY_SECONDS)
        if proxy in self._proxies:
            self._proxies[proxy].failed = None
        self._look_again([proxy])

    def _look_again(self, proxies: Iterable[ResourceKey]) -> None:
        for proxy in proxies:
            found, authorities = self._proxies.get(proxy), self._authorities.known(proxy.mesh)
            if found is not None and authorities is not None:
                self._look_at(proxy, found, authorities)

    def _authorities_changed(self, mesh: str) -> None:
        self._look_again([each for each in self._proxies if each.mesh == mesh])
        self.mesh_changed(mesh)

    async def _renew(self) -> NoReturn:
        """What is due, by the wall clock. One that was set back shows certificates of a time that
        has yet to come; so all are looked at then.
        """
        seen = self._wall_clock()
        while True:
            now = self._wall_clock()
            if now < seen - CLOCK_BACK_MAX:
                self._look_again([*self._proxies])
            seen = now
            due: list[ResourceKey] = []
            while self._due and self._due[0][0] <= now:
                due.append(heapq.heappop(self._due)[1])
            self._look_again(due)
            await trio.sleep(self._seconds_until_due(now))

    def _seconds_until_due(self, now: datetime) -> float:
        if not self._due:
            return CLOCK_SECONDS
        seconds = (self._due[0][0] - now).total_seconds()
        return min(max(seconds, 0.0), CLOCK_SECONDS)

    def _complain(self, mesh: str, backend: str, reason: str | None) -> None:
        """Once for each reason of a mesh, and once when it is over."""
        told = self._failing.pop(mesh, None)
        if reason is not None:
            self._failing[mesh] = reason
        if reason == told:
            return
        if reason is None:
            log.info("mesh-ca-signs-again: certificates are made for mesh %s", go_quote(mesh))
            return
        log.error(
            "mesh-ca-cannot-sign: authority %s of mesh %s signs no certificates: %s; proxies keep"
            " those they have. Give the mesh another authority.",
            go_quote(backend),
            go_quote(mesh),
            reason,
        )
