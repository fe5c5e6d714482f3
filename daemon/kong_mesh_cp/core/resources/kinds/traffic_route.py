"""TrafficRoute: where traffic goes, and how it is changed on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kong_mesh_cp.core.resources.proto import EMPTY, Message, Uint32, Uint64, oneof, proto
from kong_mesh_cp.core.resources.tags import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Message):
    weight: Uint32 | None = None
    destination: Mapping[str, str] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRobin(Message):
    """One after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRequest(Message):
    choice_count: Uint32 = proto(0, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHash(Message):
    hash_function: str = proto("", original=True)
    min_ring_size: Uint64 = proto(0, original=True)
    max_ring_size: Uint64 = proto(0, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Message):
    """Any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maglev(Message):
    """Consistent hashing with a fixed table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer(Message):
    round_robin: RoundRobin | None = oneof("lb_type", original=True)
    least_request: LeastRequest | None = oneof("lb_type", original=True)
    ring_hash: RingHash | None = oneof("lb_type", original=True)
    random: Random | None = oneof("lb_type")
    maglev: Maglev | None = oneof("lb_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class StringMatcher(Message):
    prefix: str | None = oneof("matcherType")
    exact: str | None = oneof("matcherType")
    regex: str | None = oneof("matcherType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Message):
    method: StringMatcher | None = None
    path: StringMatcher | None = None
    headers: Mapping[str, StringMatcher] | None = None  # given, but empty, is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexReplace(Message):
    pattern: str = ""
    substitution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPath(Message):
    rewrite_prefix: str | None = oneof("type")
    regex: RegexReplace | None = oneof("type")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyHost(Message):
    value: str | None = oneof("type")
    from_path: RegexReplace | None = oneof("type")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddHeader(Message):
    name: str = ""
    value: str = ""
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveHeader(Message):
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyHeaders(Message):
    add: tuple[AddHeader, ...] = ()
    remove: tuple[RemoveHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Modify(Message):
    path: ModifyPath | None = None
    host: ModifyHost | None = None
    request_headers: ModifyHeaders | None = None
    response_headers: ModifyHeaders | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute(Message):
    match: Match | None = None
    modify: Modify | None = None
    split: tuple[Split, ...] = ()
    destination: Mapping[str, str] | None = None  # given, but empty, is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    split: tuple[Split, ...] = ()
    load_balancer: LoadBalancer | None = proto(original=True)
    destination: Mapping[str, str] | None = None  # given, but empty, is a mistake
    http: tuple[HttpRoute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRoute(Message):
    sources: tuple[Selector, ...] = ()
    destinations: tuple[Selector, ...] = ()
    conf: Conf | None = None
