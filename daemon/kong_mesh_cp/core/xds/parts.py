"""Finished parts of configurations, shared by all proxies of a mesh that have the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from kong_mesh_cp.core.discovery.snapshots import Resource
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, packed_bytes

T = TypeVar("T")


class Parts:
    """What was made, by what it was made of: equal arguments are equal parts.

    What was used in neither of the last two turns is forgotten.
    """

    def __init__(self) -> None:
        self._used: dict[Hashable, object] = {}
        self._before: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return len(self._used.keys() | self._before.keys())

    def made(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, or has returned for an equal `key`: all that it depends on."""
        try:
            return self._used[key]  # type: ignore[return-value]  # what `key` was made for
        except KeyError:
            pass
        made = self._before[key] if key in self._before else make()
        self._used[key] = made
        return made  # type: ignore[return-value]

    def turn(self) -> None:
        """A passage through all proxies begins."""
        self._before, self._used = self._used, {}


def resource(name: str, message: Message) -> Resource:
    """`message` as it is sent."""
    return Resource.of(name, packed_bytes(message))
