"""A stream in the variant "state of the world": each response holds all that is subscribed.

A response holds the resources that the client named *and* that exist, and its version is the hash
of just these. A name that does not exist waits: the others are answered without it, and it follows
when it exists. (Kuma 2.10 answers nothing at all until each resource of the snapshot was named,
because a server that knows one version per type could not tell, from a request with this version,
that the client wants more than it was told then. Here it can: other names are another hash.)
A client that names nothing of what exists is not answered, Envoy keeps waiting.

A request without names means everything for the types that TypeOrder names, and is answered even
if there is nothing: an Envoy whose listeners are none is ready, one without an answer is not.

The version of a type that is warmed by another one (endpoints by clusters) covers that one's
version as well: Envoy forgets the endpoints of a changed cluster and waits for them, so they are
sent again under a new version, which is as stable as the others.

Source: docs/wire/discovery.md#requests-and-responses
"""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.discovery.exchanges import WILDCARD, Acknowledged, Request
from kong_mesh_cp.core.discovery.ordered_stream import (
    Change,
    OrderedStream,
    Subscription,
    Versions,
)
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot, TypeResources, version_of
from kong_mesh_cp.core.discovery.transitions import Event


class SotwStream(OrderedStream):
    """One stream of one client."""

    def _subscribe(self, subscription: Subscription, event: Event, request: Request) -> None:
        if event is Event.STALE:
            return
        names = frozenset(request.names)
        wildcard = WILDCARD in names or (not names and request.type_url in self._types.wildcard)
        same = (names, wildcard) == (subscription.names, subscription.wildcard)
        subscription.names, subscription.wildcard = names, wildcard
        if event is Event.OPEN:
            subscription.claimed = request.version
        elif event is Event.ASK and same:
            # The client took these names and asks for them once more: it has lost them. (Envoy
            # does so where the user of a name goes and a new one comes at once.)
            subscription.held, subscription.whole = {}, ""
        elif not wildcard and not same:
            # What it does not name any more it forgets; if it names it again, it needs it again.
            subscription.held = {
                name: version for name, version in subscription.held.items() if name in names
            }
            subscription.whole = ""

    def _change(
        self, type_url: str, subscription: Subscription, snapshot: Snapshot
    ) -> Change | None:
        found, basis = snapshot.of_type(type_url), self._basis(type_url, snapshot)
        if self._has_all(type_url, subscription, found, basis):
            return None
        wanted = self._wanted(type_url, subscription, snapshot)
        if not wanted and not subscription.wildcard:
            subscription.refused = {}  # what it refused is gone
            return None
        whole = found.version if wanted is found.resources else ""
        if subscription.answered and not _differs(subscription, wanted, basis, whole):
            return None
        version = whole if whole and not basis else version_of(wanted.values(), basis)
        if subscription.refused.get("") == version:
            return None
        return Change(version, tuple(wanted.values()), basis=basis, whole=whole)

    def _has_all(
        self, type_url: str, subscription: Subscription, found: TypeResources, basis: str
    ) -> bool:
        """By versions alone, as it mostly is, the client has `found`, and is to have nothing else.

        False: that takes a closer look.
        """
        used = self._in_use if type_url in self._types.users else None
        return (
            subscription.whole == found.version
            and subscription.answered
            and subscription.basis == basis
            and not subscription.again
            and not subscription.refused
            and (used is None or used.of_type(type_url).version == found.version)
        )

    def _wanted(
        self, type_url: str, subscription: Subscription, snapshot: Snapshot
    ) -> Mapping[str, Resource]:
        """What of the type the client is to have, sorted by name."""
        found = snapshot.of_type(type_url).resources
        if not subscription.wildcard:
            if subscription.names >= found.keys():
                return found
            return {name: each for name, each in found.items() if name in subscription.names}
        used = self._in_use if type_url in self._types.users and subscription.answered else None
        if used is None or used is snapshot:
            return found
        old = used.of_type(type_url).resources
        # For other types, what is left out stays as it was. Of these, it would be gone at once.
        kept = {name: each for name, each in old.items() if name not in found}
        return dict(sorted({**found, **kept}.items())) if kept else found

    def _basis(self, type_url: str, snapshot: Snapshot) -> str:
        """Version of the type that warms this one, as far as the client was told it."""
        other = self._types.warms.get(type_url)
        if other is None:
            return ""
        subscription = self._subscriptions.get(other)
        told = subscription.told if subscription is not None else ""
        return told or snapshot.of_type(other).version

    def _comes_with(self, subscription: Subscription, change: Change | None) -> Acknowledged | None:
        if change is None or change.version != subscription.claimed or subscription.again:
            return None
        return Acknowledged(change.version, change.versions)

    def _held_after(
        self,
        subscription: Subscription,  # noqa: ARG002 (the other variant's)
        change: Change,
    ) -> Versions:
        return change.versions

    def _refused_after(
        self,
        subscription: Subscription,  # noqa: ARG002 (the other variant's)
        change: Change,
    ) -> tuple[Versions, Versions]:
        # Envoy takes what is good of a response that it refuses: what it has now nobody knows.
        return {}, {"": change.version}

    def _warmed(self, subscription: Subscription, changed: frozenset[str]) -> frozenset[str]:
        return subscription.names if changed else frozenset()


def _differs(
    subscription: Subscription, wanted: Mapping[str, Resource], basis: str, whole: str
) -> bool:
    """The client has something else, or needs it again. `whole`: as of `Change`."""
    if subscription.again or subscription.refused or subscription.basis != basis:
        return True
    if whole and subscription.whole == whole:
        return False
    held = subscription.held
    if subscription.wildcard and len(held) != len(wanted):
        return True
    return any(held.get(name) != each.version for name, each in wanted.items())
