"""Checks of TrafficRoutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import (
    CANNOT_BE_EMPTY,
    WITH_SERVICE,
    connection_violations,
)
from kong_mesh_cp.core.resources.kinds.legacy.traffic_route import (
    HttpRoute,
    LoadBalancer,
    Match,
    Modify,
    ModifyHeaders,
    ModifyHost,
    ModifyPath,
    RegexReplace,
    Split,
    StringMatcher,
    TrafficRoute,
)
from kong_mesh_cp.core.resources.tags import selector_violations
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

CHOICE_COUNT_MIN: Final = 2
# Envoy's own spelling, other than in MeshLoadBalancingStrategy.
HASH_FUNCTIONS: Final = frozenset({"XX_HASH", "MURMUR_HASH_2"})

_OPTIONS: Final = 'cannot be empty. Available options: "exact", "split" or "regex"'


def violations(policy: TrafficRoute) -> list[Violation]:
    """Everything that is wrong with a TrafficRoute."""
    found = connection_violations(policy.sources, policy.destinations)
    path = root("conf")
    conf = policy.conf
    if conf is None:
        return [*found, path.violation(CANNOT_BE_EMPTY)]
    found += _target(conf.split, conf.destination, path)
    for index, http in enumerate(conf.http):
        found += _http(http, path.field("http").index(index))
    if conf.load_balancer is not None:
        found += _load_balancer(conf.load_balancer, path.field("loadBalancer"))
    return found


def _target(
    split: Sequence[Split], destination: Mapping[str, str] | None, path: FieldPath
) -> list[Violation]:
    found = []
    # Presence, not content: an empty map of tags is a destination, and wrong in another way.
    if not split and destination is None:
        found.append(path.violation('requires either "destination" or "split"'))
    if split and destination is not None:
        reason = '"split" cannot be defined at the same time as "destination"'
        found.append(path.violation(reason))
    if split:
        found += _split(split, path.field("split"))
    if destination is not None:
        found += selector_violations(path.field("destination"), destination, WITH_SERVICE)
    return found


def _split(split: Sequence[Split], path: FieldPath) -> list[Violation]:
    found = []
    for index, entry in enumerate(split):
        at = path.index(index)
        if entry.weight is None:
            found.append(at.field("weight").violation("needs to be defined"))
        found += selector_violations(at.field("destination"), entry.destination, WITH_SERVICE)
    # Envoy refuses weighted clusters whose sum is 0.
    if not any(entry.weight for entry in split):
        reason = "there must be at least one split entry with weight above 0"
        found.append(path.violation(reason))
    return found


def _load_balancer(balancer: LoadBalancer, path: FieldPath) -> list[Violation]:
    least, ring = balancer.least_request, balancer.ring_hash
    # 0 is absent, and Envoy's default of 2.
    if least is not None and 0 < least.choice_count < CHOICE_COUNT_MIN:
        at = path.field("leastRequest").field("choiceCount")
        return [at.violation(f"value must be greater than or equal to {CHOICE_COUNT_MIN}")]
    if ring is not None and ring.hash_function not in HASH_FUNCTIONS:
        at = path.field("ringHash").field("hashFunction")
        return [at.violation("must have a valid hash function")]
    return []


def _http(http: HttpRoute, path: FieldPath) -> list[Violation]:
    found = _match(http.match or Match(), path.field("match"))
    if http.modify is not None:
        found += _modify(http.modify, http.match or Match(), path.field("modify"))
    return found + _target(http.split, http.destination, path)


def _match(match: Match, path: FieldPath) -> list[Violation]:
    if match == Match():
        reason = (
            'must be present and contain at least one of the elements: "method", "path" or '
            '"headers"'
        )
        return [path.violation(reason)]
    found = []
    for name, matcher in (("method", match.method), ("path", match.path)):
        if matcher is not None:
            found += _matcher(matcher, path.field(name))
    headers = path.field("headers")
    if match.headers is not None and not match.headers:
        found.append(headers.violation("must contain at least one element"))
    # A map in protobuf has no order; sorted, the answer is the same each time.
    for name in sorted(match.headers or {}):
        if not name:
            found.append(headers.key(name).violation(CANNOT_BE_EMPTY))
        found += _matcher((match.headers or {})[name], headers.key(name))
    return found


def _matcher(matcher: StringMatcher, path: FieldPath) -> list[Violation]:
    if matcher == StringMatcher():
        return [path.violation(_OPTIONS)]
    found = []
    for name, text in (("prefix", matcher.prefix), ("regex", matcher.regex)):
        if text == "":
            found.append(path.field(name).violation(CANNOT_BE_EMPTY))
    return found


def _modify(modify: Modify, match: Match, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    if modify.path is not None:
        found += _modify_path(modify.path, match, path.field("path"))
    if modify.host is not None:
        found += _modify_host(modify.host, path.field("host"))
    for name, headers in (
        ("requestHeaders", modify.request_headers),
        ("responseHeaders", modify.response_headers),
    ):
        if headers is not None:
            found += _modify_headers(headers, path.field(name))
    return found


def _modify_path(change: ModifyPath, match: Match, path: FieldPath) -> list[Violation]:
    if change.regex is not None:
        return _replacement(change.regex, path.field("regex"))
    at = path.field("rewritePrefix")
    if change.rewrite_prefix is None:
        return [path.violation('either "rewritePrefix" or "regex" has to be set')]
    if not change.rewrite_prefix:
        return [at.violation(CANNOT_BE_EMPTY)]
    # There is a prefix to rewrite only where the match is by prefix.
    if match.path is None or not match.path.prefix:
        reason = "can only be set when .http.match.path.prefix is not empty"
        return [at.violation(reason)]
    return []


def _modify_host(change: ModifyHost, path: FieldPath) -> list[Violation]:
    if change.from_path is not None:
        return _replacement(change.from_path, path.field("fromPath"))
    if change.value is None:
        return [path.violation('either "value" or "fromPath" has to be set')]
    return [] if change.value else [path.field("value").violation(CANNOT_BE_EMPTY)]


def _replacement(replacement: RegexReplace, path: FieldPath) -> list[Violation]:
    return [
        path.field(name).violation(CANNOT_BE_EMPTY)
        for name in ("pattern", "substitution")
        if not getattr(replacement, name)
    ]


def _modify_headers(headers: ModifyHeaders, path: FieldPath) -> list[Violation]:
    found = []
    for index, add in enumerate(headers.add):
        at = path.field("add").index(index)
        found += _header_name(add.name, at.field("name"))
        if not add.value:
            found.append(at.field("value").violation(CANNOT_BE_EMPTY))
    for index, remove in enumerate(headers.remove):
        found += _header_name(remove.name, path.field("remove").index(index).field("name"))
    return found


def _header_name(name: str, path: FieldPath) -> list[Violation]:
    if not name:
        return [path.violation(CANNOT_BE_EMPTY)]
    # HTTP/2 carries method, path and host in pseudo-headers; `modify` has members of its own for
    # them.
    if name.startswith(":") or name in {"host", "Host"}:
        reason = "host header and HTTP/2 pseudo-headers are not allowed to be modified"
        return [path.violation(reason)]
    return []


KIND: Final[Kind[TrafficRoute]] = proto_kind("TrafficRoute", TrafficRoute, violations)
