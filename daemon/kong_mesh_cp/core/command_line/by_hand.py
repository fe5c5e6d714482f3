"""Remedies in the words of a daemon that a person started: there is no service to be started."""

from __future__ import annotations

import re
from typing import Final

_OF_THE_SERVICE: Final = re.compile(
    r"systemctl (start|restart|reload|stop) kong-mesh-cp(?!\.(?:service|socket)|-)"
)
_BY_HAND: Final = {
    "start": "kong-mesh-cp run",
    "restart": "kong-mesh-cp run, once it has ended",
    "reload": "kong-mesh-cp reload",
    "stop": "Ctrl-C where it runs, or kill",
}


def by_hand(text: str) -> str:
    """`text`, whose commands for the service are those of a terminal instead."""
    return _OF_THE_SERVICE.sub(lambda found: _BY_HAND[found[1]], text)
