"""Envoy's side of a discovery stream, and the wire between it and a stream of core/discovery.

`EnvoyModel` does what Envoy does with what it is told: it warms clusters (a new or changed one wants
its endpoints again), asks for what its clusters and listeners refer to before it acknowledges them,
refuses bad resources and takes the good ones beside them, and comes back after a lost connection
with the versions it has. `Exchange` delivers messages one by one, so that a test can interleave
them, and asserts the rules of a stream on the way: never two responses of one type in flight, no
nonce out of order, nothing doubled, nothing sent again that was refused.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kong_mesh_cp.core.discovery.delta import DeltaStream
from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.sotw import SotwStream
from kong_mesh_cp.core.discovery.type_order import (
    CLUSTERS,
    ENDPOINTS,
    ENVOY,
    LISTENERS,
    ROUTES,
    SECRETS,
)

References = Mapping[str, Iterable[str]]  # type URL -> names
WILDCARD_TYPES = (CLUSTERS, LISTENERS)
REFERRED_TYPES = (ENDPOINTS, ROUTES, SECRETS)


@dataclass
class EnvoyModel:
    """One Envoy. `has` is what it works with, `breaks` where it had to answer 503."""

    refers: Callable[[str, Resource], References]  # what a resource of a type URL refers to
    bad: Callable[[Resource], bool] = lambda _: False
    delta: bool = False
    has: dict[str, dict[str, Resource]] = field(default_factory=lambda: defaultdict(dict))
    breaks: list[str] = field(default_factory=list)
    active: set[str] = field(default_factory=set)  # clusters that were warmed once
    asked: set[str] = field(default_factory=set)  # types that it asks for
    _names: dict[str, frozenset[str]] = field(default_factory=dict)  # as the server was told
    _nonces: dict[str, str] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)  # SotW: the version; until it asks again
    _unsure: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # refused with
    _excused: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def connect(self) -> list[Request]:
        """The first requests of a new stream."""
        self._nonces.clear()
        self._excused.clear()
        self._refused.clear()
        self._names.clear()
        self.asked.add(CLUSTERS)
        return [self._first(url) for url in ENVOY.order if url in self.asked]

    def receive(self, response: Response) -> list[Request]:
        """The requests that Envoy sends for this response, in its order."""
        url = response.type_url
        self._check(response)
        good = [each for each in response.resources if not self.bad(each)]
        refused = len(good) < len(response.resources)
        changed = self._take(url, response, good)
        self._nonces[url] = response.nonce
        if refused:
            self._refused[url] = response.version
        else:
            self._versions[url] = response.version
            self._refused.pop(url, None)
        told = {each.name for each in response.resources}
        unsure = bool(self._unsure[url])
        self._unsure[url] = self._unsure[url] | told if refused else self._unsure[url] - told
        if url == CLUSTERS and (
            refused or unsure
        ):  # the server cannot know that they are not warmed
            self._unsure[ENDPOINTS] |= told
        self._excused[url].clear()
        sent = self._ask_for_references(changed if url == CLUSTERS else set())
        sent.append(self._answer(url, "it is bad" if refused else ""))
        self._warm()
        if LISTENERS not in self.asked and CLUSTERS in self._versions and not self._warming():
            self.asked.add(LISTENERS)
            sent.append(self._first(LISTENERS))
        return sent

    def wants(self, url: str) -> frozenset[str]:
        """The names of a type that its resources refer to."""
        return frozenset(
            name
            for by in (*WILDCARD_TYPES, ROUTES)
            if by != url
            for each in self.has[by].values()
            for name in self.refers(by, each).get(url, ())
        )

    def expected(self, snapshot: Snapshot, url: str) -> dict[str, Resource]:
        """What it should have of a type when all is told."""
        resources = snapshot.of_type(url).resources
        if url in WILDCARD_TYPES:
            return dict(resources)
        return {name: resources[name] for name in self.wants(url) if name in resources}

    def _take(self, url: str, response: Response, good: list[Resource]) -> set[str]:
        has = self.has[url]
        before = dict(has)
        if self.delta:
            for name in response.removed:
                has.pop(name, None)
        elif url in WILDCARD_TYPES:
            told = {each.name for each in response.resources}
            for name in has.keys() - told:
                del has[name]
        wanted = None if url in WILDCARD_TYPES else self.wants(url)
        has.update({each.name: each for each in good if wanted is None or each.name in wanted})
        changed = {name for name in has if has[name] != before.get(name)}
        if url == CLUSTERS:
            self.active &= has.keys()
            for name in changed:  # it is warmed, and waits for endpoints that come after it
                for endpoints in self.refers(url, has[name]).get(ENDPOINTS, ()):
                    self.has[ENDPOINTS].pop(endpoints, None)
                    self._excused[ENDPOINTS].add(endpoints)
        for referred in REFERRED_TYPES:
            for name in self.has[referred].keys() - self.wants(referred):
                del self.has[referred][name]
        return changed

    def _warming(self) -> set[str]:
        return {
            name
            for name, each in self.has[CLUSTERS].items()
            if any(
                e not in self.has[ENDPOINTS] for e in self.refers(CLUSTERS, each).get(ENDPOINTS, ())
            )
        }

    def _warm(self) -> None:
        self.active |= self.has[CLUSTERS].keys() - self._warming()
        for url in (LISTENERS, ROUTES):
            for each in self.has[url].values():
                self.breaks += [
                    f"{each.name} uses {name}"
                    for name in self.refers(url, each).get(CLUSTERS, ())
                    if name not in self.active
                ]

    def _ask_for_references(self, warmed: set[str]) -> list[Request]:
        sent = []
        for url in REFERRED_TYPES:
            names = self.wants(url)
            told = self._names.get(url, frozenset())
            if url not in self.asked and names:
                self.asked.add(url)
                sent.append(self._first(url))
            elif names != told or (url == ENDPOINTS and warmed and names and not self.delta):
                sent.append(self._ask(url, names, told))
        return sent

    def _first(self, url: str) -> Request:
        names = self._names[url] = self.wants(url) if url not in WILDCARD_TYPES else frozenset()
        if not self.delta:
            return Request(
                type_url=url, names=tuple(sorted(names)), version=self._versions.get(url, "")
            )
        initial = {name: each.version for name, each in self.has[url].items()}
        return Request(type_url=url, subscribe=tuple(sorted(names)), initial=initial)

    def _ask(self, url: str, names: frozenset[str], told: frozenset[str]) -> Request:
        self._names[url] = names
        self._refused.pop(url, None)
        self._excused[url] |= names
        if self.delta:
            return Request(
                type_url=url,
                subscribe=tuple(sorted(names - told)),
                unsubscribe=tuple(sorted(told - names)),
            )
        return self._request(url)

    def _answer(self, url: str, error: str) -> Request:
        if self.delta:
            return Request(type_url=url, nonce=self._nonces[url], error=error, refused=bool(error))
        return self._request(url, error)

    def _request(self, url: str, error: str = "") -> Request:
        return Request(
            type_url=url,
            names=tuple(sorted(self._names[url])),
            version=self._versions.get(url, ""),
            nonce=self._nonces.get(url, ""),
            error=error,
            refused=bool(error),
        )

    def _check(self, response: Response) -> None:
        url = response.type_url
        names = [each.name for each in response.resources]
        assert names == sorted(set(names))
        if self.delta:
            for each in response.resources:
                again = each.name in self._excused[url] | self._unsure[url]
                assert again or self.has[url].get(each.name) != each, f"{each.name} is doubled"
            return
        assert not response.removed
        if not self._excused[url] | self._unsure[url]:
            assert response.version != self._refused.get(url), "it was refused"
            if url in self._nonces and url not in self._refused:
                assert response.version != self._versions.get(url), "it is doubled"


class Exchange:
    """A server's stream and an Envoy, with the messages between them that are under way."""

    def __init__(self, envoy: EnvoyModel) -> None:
        self.envoy = envoy
        self.snapshot: Snapshot | None = None
        self.connect()

    def connect(self) -> None:
        """A new stream; what was under way on the old one is lost."""
        self.stream = DeltaStream() if self.envoy.delta else SotwStream()
        self.to_envoy: deque[Response] = deque()
        self.in_flight: dict[str, str] = {}  # type -> nonce, until the server got its answer
        self.nonce = 0
        self.to_server = deque(self.envoy.connect())
        if self.snapshot is not None:
            self.publish(self.snapshot)

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._sent(self.stream.publish(snapshot))

    def deliver_response(self) -> bool:
        if self.to_envoy:
            self.to_server += self.envoy.receive(self.to_envoy.popleft())
            return True
        return False

    def deliver_request(self) -> bool:
        if self.to_server:
            request = self.to_server.popleft()
            if request.nonce and self.in_flight.get(request.type_url) == request.nonce:
                del self.in_flight[request.type_url]
            self._sent(self.stream.request(request))
            return True
        return False

    def settle(self, most: int = 1000) -> None:
        """Deliver all that is under way, and what comes of it."""
        for _ in range(most):
            if not (self.deliver_response() or self.deliver_request()):
                return
        raise AssertionError("the two never come to rest")

    def _sent(self, responses: tuple[Response, ...]) -> None:
        for response in responses:
            assert response.type_url not in self.in_flight, "two in flight"
            self.in_flight[response.type_url] = response.nonce
            assert int(response.nonce) > self.nonce
            self.nonce = int(response.nonce)
        places = [ENVOY.order.index(each.type_url) for each in responses]
        assert places == sorted(places)
        self.to_envoy += responses
