"""Ports for servers that have to be told theirs before they listen."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
