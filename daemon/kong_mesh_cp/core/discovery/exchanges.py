"""What goes over a discovery stream, decoded: requests of clients and responses to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource

WILDCARD: Final = "*"  # as a name: all resources of the type


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of either variant. What a variant does not have is empty."""

    type_url: str
    nonce: str = ""  # of the response that it answers; empty: it answers none
    error: str = ""  # why that response was refused; empty: it was not
    refused: bool = False  # error_detail was there, be its text empty or not
    # State of the world:
    names: tuple[str, ...] = ()  # all that the client wants; none: all there are, for some types
    version: str = ""  # of the last response of this type that it took
    # Delta:
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial: Mapping[str, str] = field(default_factory=dict)  # what it has: name -> version


class Response(NamedTuple):
    """A response of either variant."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[Resource, ...]  # sorted by name
    removed: tuple[str, ...] = ()  # Delta only; sorted


class Counts(NamedTuple):
    """Of the responses of one type on one stream."""

    sent: int = 0
    acknowledged: int = 0
    rejected: int = 0


class Refusal(NamedTuple):
    """A response that the client did not take."""

    type_url: str
    version: str
    nonce: str
    text: str  # the client's own, from outside: not printable as it is


class Acknowledged(NamedTuple):
    """What the client has of one type, as it said itself."""

    version: str
    resources: Mapping[str, str]  # name -> version
