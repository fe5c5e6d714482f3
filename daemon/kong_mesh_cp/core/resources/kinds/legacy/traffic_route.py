"""TrafficRoute: where traffic goes, and how it is changed on its way."""

from __future__ import annotations

from collections.abc import Mapping

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import EMPTY, Message, Uint32, Uint64, oneof, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Message):
    """A destination with its share of the traffic."""

    # A wrapper: weight 0 is a share, and no weight is a mistake.
    weight: Uint32 | None = proto(number=1)
    destination: Mapping[str, str] = proto(EMPTY, number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRobin(Message):
    """One after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRequest(Message):
    """Settings of the balancer that prefers endpoints with few requests under way."""

    # 0 is absent, and leaves Envoy's default in force.
    choice_count: Uint32 = proto(0, number=1, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHash(Message):
    """Settings of the balancer that places endpoints on a ring of hashes."""

    hash_function: str = proto("", number=1, original=True)
    min_ring_size: Uint64 = proto(0, number=2, original=True)
    max_ring_size: Uint64 = proto(0, number=3, original=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Message):
    """Any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maglev(Message):
    """Consistent hashing with a fixed table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer(Message):
    """The algorithm that chooses an endpoint; one member is set."""

    round_robin: RoundRobin | None = oneof("lb_type", number=1, original=True)
    least_request: LeastRequest | None = oneof("lb_type", number=2, original=True)
    ring_hash: RingHash | None = oneof("lb_type", number=3, original=True)
    random: Random | None = oneof("lb_type", number=4)
    maglev: Maglev | None = oneof("lb_type", number=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StringMatcher(Message):
    """A comparison of a text; one member is set."""

    # Presence is what chooses: an empty prefix would fit everything, and is refused.
    prefix: str | None = oneof("matcherType", number=1)
    exact: str | None = oneof("matcherType", number=2)
    regex: str | None = oneof("matcherType", number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Message):
    """A condition on requests: all members that are set have to hold."""

    method: StringMatcher | None = proto(number=1)
    path: StringMatcher | None = proto(number=2)
    headers: Mapping[str, StringMatcher] | None = proto(number=3)  # given, but empty, is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexReplace(Message):
    """What a regular expression finds in a path or host, and what takes its place."""

    pattern: str = proto("", number=1)
    substitution: str = proto("", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPath(Message):
    """Another path for the request that is passed on."""

    rewrite_prefix: str | None = oneof("type", number=1)
    regex: RegexReplace | None = oneof("type", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyHost(Message):
    """Another host for the request that is passed on."""

    value: str | None = oneof("type", number=1)
    from_path: RegexReplace | None = oneof("type", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddHeader(Message):
    """A header that is added, or put in place of those of its name."""

    name: str = proto("", number=1)
    value: str = proto("", number=2)
    append: bool = proto(default=False, number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveHeader(Message):
    """A header that is taken out."""

    name: str = proto("", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyHeaders(Message):
    """Headers that are added and removed."""

    add: tuple[AddHeader, ...] = proto((), number=1)
    remove: tuple[RemoveHeader, ...] = proto((), number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modify(Message):
    """What is changed in requests and in their answers."""

    path: ModifyPath | None = proto(number=1)
    host: ModifyHost | None = proto(number=2)
    request_headers: ModifyHeaders | None = proto(number=3)
    response_headers: ModifyHeaders | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute(Message):
    """Requests that match, what is changed in them and where they go."""

    match: Match | None = proto(number=1)
    modify: Modify | None = proto(number=2)
    split: tuple[Split, ...] = proto((), number=3)
    destination: Mapping[str, str] | None = proto(number=4)  # given, but empty, is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Where traffic goes that no HTTP route matches, the HTTP routes, and the balancer."""

    split: tuple[Split, ...] = proto((), number=1)
    load_balancer: LoadBalancer | None = proto(number=2, original=True)
    destination: Mapping[str, str] | None = proto(number=3)  # given, but empty, is a mistake
    http: tuple[HttpRoute, ...] = proto((), number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRoute(Message):
    """The spec of a TrafficRoute."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)
