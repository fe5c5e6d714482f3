"""What both variants of a stream share: order of types, one response in flight, refusals, counts.

Pure and synchronous: whoever owns a stream sends what it returns, in that order, and calls it again
with what arrives. What is published while a response is in flight is merged into the next one: a
stream keeps the last snapshot only.

Make before break, where TypeOrder.users says who uses what:
- Listeners and routes wait while new clusters, or endpoints for them, are in flight. Envoy asks for
  a new cluster's endpoints before it acknowledges the cluster, so both are in place by then.
- Clusters (in Delta: and endpoints) that are no more stay until listeners and routes without them
  were acknowledged. While listeners are refused, they stay: Envoy still uses them.

A refused response is not sent again until its content changes, at no rate: Envoy answers within a
millisecond, and would be at it with full speed.

Source: docs/wire/discovery.md#order-of-types
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kong_mesh_cp.core.discovery.exchanges import Acknowledged, Counts, Refusal, Request, Response
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.transitions import TRANSITIONS, Event, State, event_of
from kong_mesh_cp.core.discovery.type_order import ENVOY, TypeOrder

Versions = Mapping[str, str]  # of resources, by name


class Change(NamedTuple):
    """What the client would be told of a type."""

    version: str
    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()
    basis: str = ""  # version of the type that warms this one
    whole: str = ""  # version of the snapshot's resources, if these are all of them

    @property
    def versions(self) -> Versions:
        return {each.name: each.version for each in self.resources}


class Subscription:
    """One type on one stream. Its state changes by `happens` alone."""

    __slots__ = (
        *("acknowledged", "again", "basis", "change", "claimed", "counts", "fresh", "held"),
        *("names", "nonce", "refusal", "refused", "state", "told", "whole", "wildcard"),
    )

    def __init__(self) -> None:
        self.state = State.SILENT
        self.fresh = True  # its first request is being read
        self.wildcard = False
        self.names: frozenset[str] = frozenset()
        self.claimed = ""  # the version that the client came with
        self.nonce = ""  # of the last response
        self.change = Change("", ())  # what it was told last
        self.told = ""  # version of the snapshot's resources that it was last compared with
        self.basis = ""  # version of the type that warms it, when it was told last
        self.held: Versions = {}  # what the client has for sure
        self.whole = ""  # version of the snapshot's resources, if `held` is all of them
        self.again: frozenset[str] = frozenset()  # names that it needs once more
        self.refused: Versions = {}  # what is not sent again: by name in Delta, by "" in the other
        self.refusal: Refusal | None = None
        self.acknowledged = Acknowledged("", {})
        self.counts = Counts()

    def happens(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]

    @property
    def answered(self) -> bool:
        """The client has been told something of this type, here or before."""
        return self.state is not State.SILENT and self.state is not State.WAITING

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names


class OrderedStream(ABC):
    """One stream of one client. Mutable; its owner does not call it from two tasks at once."""

    def __init__(self, types: TypeOrder = ENVOY) -> None:
        self._types = types
        self._users = frozenset[str]().union(*types.users.values())
        self._snapshot: Snapshot | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._sent = 0  # nonces
        # The last snapshot whose listeners and routes the client took: it may still use them.
        self._in_use: Snapshot | None = None
        self._introducing = False  # new resources of a used type are on their way
        # What a type that is warmed by another needs again as soon as it is asked for.
        self._warming: dict[str, frozenset[str]] = {}
        self._resumed = False  # the client came with resources of an older stream

    def request(self, request: Request) -> tuple[Response, ...]:
        """What to send now that the client said this.

        Types that are not in the order are not answered: there are none of them, and a client that
        makes up names of types must not take memory.
        """
        if request.type_url not in self._types.order:
            return ()
        subscription = self._subscriptions.setdefault(request.type_url, Subscription())
        event = event_of(subscription.state, subscription.nonce, request)
        subscription.happens(event)
        if event in {Event.ACKNOWLEDGE, Event.REFUSE}:
            # All that it asked for when it came back has arrived before this.
            self._resumed = False
        if event is Event.ACKNOWLEDGE:
            self._acknowledge(subscription)
        elif event is Event.REFUSE:
            self._refuse(subscription, request)
        self._subscribe(subscription, event, request)
        if subscription.fresh and request.type_url in self._warming:
            warming = self._warming.pop(request.type_url)
            subscription.again = self._warmed(subscription, warming)
        subscription.fresh = False
        return tuple(self._due())

    def publish(self, snapshot: Snapshot) -> tuple[Response, ...]:
        """What to send now that the client is to have this."""
        # An Envoy that cannot warm a cluster does not ask for listeners until the cluster is gone.
        self._resumed = False
        self._snapshot = snapshot
        return tuple(self._due())

    @property
    def counts(self) -> Mapping[str, Counts]:
        """By type URL; types that were never asked for are left out."""
        return {url: each.counts for url, each in self._subscriptions.items()}

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        """The last refusal of each type, by type URL, also when it was mended since."""
        found = {url: each.refusal for url, each in self._subscriptions.items()}
        return {url: refusal for url, refusal in found.items() if refusal is not None}

    @property
    def refused(self) -> frozenset[str]:
        """The types of which the client lacks something because it refused it."""
        return frozenset(url for url, each in self._subscriptions.items() if each.refused)

    @property
    def acknowledged(self) -> Mapping[str, Acknowledged]:
        """What the client took last, by type URL."""
        return {url: each.acknowledged for url, each in self._subscriptions.items()}

    @property
    def in_sync(self) -> bool:
        """The client has taken all that it asked for of the snapshot, and nothing is in flight."""
        return self._snapshot is not None and all(
            self._settled(url, each, self._snapshot) for url, each in self._subscriptions.items()
        )

    @abstractmethod
    def _subscribe(self, subscription: Subscription, event: Event, request: Request) -> None:
        """Take what the request says about names and versions."""

    @abstractmethod
    def _change(
        self, type_url: str, subscription: Subscription, snapshot: Snapshot
    ) -> Change | None:
        """What the client lacks; None: nothing."""

    @abstractmethod
    def _comes_with(self, subscription: Subscription, change: Change | None) -> Acknowledged | None:
        """What it has from an older stream, if that is all there is to tell it."""

    @abstractmethod
    def _held_after(self, subscription: Subscription, change: Change) -> Versions:
        """What the client has after it took `change`."""

    @abstractmethod
    def _refused_after(
        self, subscription: Subscription, change: Change
    ) -> tuple[Versions, Versions]:
        """After it refused `change`: what it surely still has, and what is not to be sent again."""

    @abstractmethod
    def _warmed(self, subscription: Subscription, changed: frozenset[str]) -> frozenset[str]:
        """What of this type the client needs again once it is told `changed` of the other."""

    def _acknowledge(self, subscription: Subscription) -> None:
        change = subscription.change
        subscription.held = self._held_after(subscription, change)
        subscription.whole = change.whole
        if subscription.refused:
            told = {"", *change.versions, *change.removed}
            subscription.refused = {
                name: version for name, version in subscription.refused.items() if name not in told
            }
        subscription.acknowledged = Acknowledged(change.version, subscription.held)
        counts = subscription.counts
        subscription.counts = counts._replace(acknowledged=counts.acknowledged + 1)

    def _refuse(self, subscription: Subscription, request: Request) -> None:
        change = subscription.change
        subscription.held, subscription.refused = self._refused_after(subscription, change)
        subscription.whole = ""
        subscription.refusal = Refusal(
            request.type_url, change.version, request.nonce, request.error
        )
        counts = subscription.counts
        subscription.counts = counts._replace(rejected=counts.rejected + 1)

    def _due(self) -> Iterator[Response]:
        """Sends, in order, whatever can be sent."""
        snapshot, resumed = self._snapshot, True
        # Whoever is found to have it all may let go what earlier types keep for it.
        while snapshot is not None and resumed:
            resumed = False
            if self._in_use is not snapshot and self._users_settled(snapshot):
                self._in_use = snapshot
            for type_url in self._types.order:
                subscription = self._subscriptions.get(type_url)
                if subscription is None or subscription.state is State.IN_FLIGHT:
                    continue
                if self._held_back(type_url, snapshot):
                    continue
                change = self._change(type_url, subscription, snapshot)
                subscription.told = snapshot.of_type(type_url).version
                if subscription.state is State.WAITING and self._resume(subscription, change):
                    resumed = True
                elif change is not None:
                    yield self._send(type_url, subscription, change)

    def _resume(self, subscription: Subscription, change: Change | None) -> bool:
        has = self._comes_with(subscription, change)
        if has is None:
            return False
        subscription.happens(Event.SAME)
        subscription.held, subscription.acknowledged = has.resources, has
        subscription.whole = change.whole if change is not None else ""
        subscription.basis = change.basis if change is not None else ""
        return True

    def _send(self, type_url: str, subscription: Subscription, change: Change) -> Response:
        self._introduce(type_url, subscription.held, change)
        self._sent += 1
        subscription.happens(Event.SEND)
        subscription.nonce = str(self._sent)
        subscription.change, subscription.basis = change, change.basis
        subscription.again = frozenset()
        counts = subscription.counts
        subscription.counts = counts._replace(sent=counts.sent + 1)
        return Response(
            type_url, change.version, subscription.nonce, change.resources, change.removed
        )

    def _introduce(self, type_url: str, held: Versions, change: Change) -> None:
        """Notes what the change means for other types."""
        changed = frozenset(
            each.name for each in change.resources if held.get(each.name) != each.version
        )
        if type_url in self._types.users and not changed <= held.keys():
            self._introducing = True
        for warmed, by in self._types.warms.items():
            if by != type_url:
                continue
            subscription = self._subscriptions.get(warmed)
            if subscription is not None:
                subscription.again |= self._warmed(subscription, changed)
            else:  # the client comes back, and does not know yet that it will need them
                self._warming[warmed] = self._warming.get(warmed, frozenset()) | changed

    def _held_back(self, type_url: str, snapshot: Snapshot) -> bool:
        """It uses what is not in place yet."""
        if type_url not in self._users:
            return False
        moving = [
            (url, subscription)
            for url, users in self._types.users.items()
            if type_url in users
            and (subscription := self._subscriptions.get(url)) is not None
            and subscription.state is State.IN_FLIGHT
        ]
        if not moving:
            self._introducing = False
        return bool(moving) and (
            self._introducing or any(_brings_more(*each, snapshot) for each in moving)
        )

    def _users_settled(self, snapshot: Snapshot) -> bool:
        """Whoever uses other types has taken what the snapshot says."""
        for user in self._users:
            subscription = self._subscriptions.get(user)
            if subscription is None:
                # After a reconnect its request is still to come.
                if self._resumed and user in self._types.wildcard:
                    return False
            elif not self._settled(user, subscription, snapshot):
                return False
        return True

    def _settled(self, type_url: str, subscription: Subscription, snapshot: Snapshot) -> bool:
        if subscription.state is State.IN_FLIGHT or subscription.refused:
            return False
        return self._change(type_url, subscription, snapshot) is None


def _brings_more(type_url: str, subscription: Subscription, snapshot: Snapshot) -> bool:
    """The snapshot has names that the client wants, but neither has nor is just being told."""
    if subscription.change.whole == snapshot.of_type(type_url).version:
        return False
    known = subscription.held.keys() | subscription.change.versions.keys()
    new = snapshot.of_type(type_url).resources.keys() - known
    return any(subscription.wants(name) for name in new)
