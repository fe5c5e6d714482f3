"""The name of a proxy on its streams: Envoy's node id, `<mesh>.<name>`.

Source: docs/wire/streams.md#node
"""

from __future__ import annotations

from typing import NamedTuple


class ProxyId(NamedTuple):
    """A proxy, by its mesh ("" for zone proxies) and its name, which may hold dots."""

    mesh: str
    name: str

    @classmethod
    def parse(cls, node_id: str) -> ProxyId:
        """Raises: ValueError, with the words that clients know."""
        if not node_id:
            raise ValueError("Envoy ID must not be nil")
        mesh, dot, name = node_id.partition(".")
        if not dot:
            raise ValueError("the name should be provided after the dot")
        if not name:
            raise ValueError("name must not be empty")
        return cls(mesh, name)

    def __str__(self) -> str:
        return f"{self.mesh}.{self.name}"
