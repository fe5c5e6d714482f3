"""A stream in the incremental variant: each response holds what changed.

Subscriptions are told once and kept here. "If the client subscribes to a name it is subscribed to,
the server must send the resource again" (xDS, "Subscribing to Resources"); what it unsubscribes
from it forgets. A client that comes back tells the versions that it has, and gets the difference.

A name that does not exist waits, as in the other variant: told that it was removed, Envoy would
take a new cluster into use without endpoints instead of keeping the old one until they are there.

All of a type that was never subscribed to by name is answered even if there is nothing: an Envoy
whose listeners are none is ready, one without an answer is not.

Endpoints of a changed cluster go out again, under the cluster's name: Envoy waits for them.

Source: docs/wire/discovery.md#requests-and-responses
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from kong_mesh_cp.core.discovery.exchanges import WILDCARD, Acknowledged, Request
from kong_mesh_cp.core.discovery.ordered_stream import (
    Change,
    OrderedStream,
    Subscription,
    Versions,
)
from kong_mesh_cp.core.discovery.snapshots import Snapshot, TypeResources
from kong_mesh_cp.core.discovery.transitions import Event


class DeltaStream(OrderedStream):
    """One stream of one client."""

    def _subscribe(
        self,
        subscription: Subscription,
        event: Event,  # noqa: ARG002 (subscriptions hold whatever the request answers)
        request: Request,
    ) -> None:
        subscribe, unsubscribe = frozenset(request.subscribe), frozenset(request.unsubscribe)
        if subscription.fresh and not subscribe and request.type_url in self._types.wildcard:
            subscription.wildcard = True
        subscription.wildcard |= WILDCARD in subscribe
        subscription.wildcard &= WILDCARD not in unsubscribe
        subscription.names = (subscription.names | subscribe) - unsubscribe - {WILDCARD}
        if subscription.fresh:
            subscription.held = dict(request.initial)
            if request.initial:
                self._resumed, self._in_use = True, None  # what it uses is not known yet
        elif subscribe or unsubscribe:
            subscription.held = _without(subscription.held, subscribe | unsubscribe)
        if unsubscribe or subscription.fresh:
            subscription.held = _wanted(subscription.held, subscription)
            subscription.refused = _wanted(
                _without(subscription.refused, unsubscribe), subscription
            )

    def _change(
        self, type_url: str, subscription: Subscription, snapshot: Snapshot
    ) -> Change | None:
        found = snapshot.of_type(type_url)
        held, again = subscription.held, subscription.again
        refused = subscription.refused = _still_refused(subscription.refused, found)
        changed = tuple(
            each
            for name, each in found.resources.items()
            if (held.get(name) != each.version or name in again)
            and refused.get(name) != each.version
            and subscription.wants(name)
        )
        gone = [name for name in held.keys() | refused.keys() if name not in found.resources]
        removed = (
            tuple(sorted(gone))
            if self._in_use is snapshot or type_url not in self._types.users
            else ()
        )
        # The first answer to a wildcard says that this is all, be it nothing.
        first = not subscription.answered and subscription.wildcard and not held
        return Change(found.version, changed, removed) if changed or removed or first else None

    def _comes_with(self, subscription: Subscription, change: Change | None) -> Acknowledged | None:
        if change is not None or not subscription.held or subscription.again:
            return None
        return Acknowledged("", subscription.held)

    def _held_after(self, subscription: Subscription, change: Change) -> Versions:
        held = {**_without(subscription.held, frozenset(change.removed)), **change.versions}
        return _wanted(held, subscription)

    def _refused_after(
        self, subscription: Subscription, change: Change
    ) -> tuple[Versions, Versions]:
        # Envoy takes what is good of a response that it refuses: of what was in it nobody knows.
        # What was removed with it is gone, and is not removed once more.
        told, removed = change.versions, frozenset(change.removed)
        refused = {**_without(subscription.refused, removed), **told}
        return _without(subscription.held, told.keys() | removed), _wanted(refused, subscription)

    def _warmed(self, subscription: Subscription, changed: frozenset[str]) -> frozenset[str]:
        return frozenset(filter(subscription.wants, changed))


def _still_refused(refused: Versions, found: TypeResources) -> Versions:
    """Which of the resources were at fault is not known: when one changes, all may go again."""
    as_it_was = all(
        name in found.resources and found.resources[name].version == version
        for name, version in refused.items()
    )
    return refused if as_it_was else dict.fromkeys(refused, "")


def _without(versions: Versions, names: AbstractSet[str]) -> Versions:
    return {name: version for name, version in versions.items() if name not in names}


def _wanted(versions: Versions, subscription: Subscription) -> Versions:
    if subscription.wildcard:
        return versions
    return {name: version for name, version in versions.items() if name in subscription.names}
