"""Merged confs as they hold at one place of a proxy: for an inbound, and for a destination."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Final, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.confs import conf_of
from kong_mesh_cp.core.policy.rules.policy import Conf, Meta
from kong_mesh_cp.core.policy.rules.subsets import Subset

T = TypeVar("T")


class TypedConf:
    """A merged conf, as the dataclass of its kind. Equal texts of one kind are equal confs."""

    __slots__ = ("text", "value")

    def __init__(self, policy_type: str, conf: Conf) -> None:
        """Raises: UnreadableConfError."""
        self.value = conf_of(policy_type, conf)
        self.text = json.dumps(conf, sort_keys=True, separators=(",", ":"))

    def of_kind(self, kind: type[T]) -> T:
        """Its value, for who knows the type that was matched."""
        assert isinstance(self.value, kind)  # noqa: S101 — as callers say
        return self.value

    def __eq__(self, other: object) -> bool:
        # Those of two types may have one text, as `{}`.
        return (
            isinstance(other, TypedConf)
            and self.text == other.text
            and self.value.__class__ is other.value.__class__
        )

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, slots=True)
class ClientConf:
    """What holds for the clients in `subset`; the first one that a client belongs to counts."""

    subset: Subset
    conf: TypedConf


@dataclass(frozen=True, slots=True)
class InboundConfs:
    """What one type of policies says about one inbound."""

    rules: TypedConf | None = None  # for all clients: `rules`, or `from` read as such
    clients: tuple[ClientConf, ...] = ()
    selected: bool = False  # some policy of the type is about the inbound

    def __hash__(self) -> int:
        return hash((self.rules, len(self.clients), self.selected))  # it is asked for often


NO_INBOUND_CONFS: Final = InboundConfs()


@dataclass(frozen=True, slots=True)
class DestinationConfs:
    """What one type of policies says about one destination of a proxy."""

    conf: TypedConf | None = None
    routes: tuple[tuple[str, TypedConf], ...] = ()  # by the hash of a route's matches
    selected: bool = False  # some policy of the type selects the proxy
    # The policies that a route's references are from, by the hash of a rule's matches.
    origins: Mapping[str, Meta] = field(default_factory=dict)

    def of_route(self, matches_hash: str) -> TypedConf | None:
        """The conf of one route, else that of the destination."""
        return next((conf for each, conf in self.routes if each == matches_hash), self.conf)


NO_DESTINATION_CONFS: Final = DestinationConfs()
