"""RateLimit: how many requests a destination takes from a source."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import ANY_TAG, connection_violations
from kong_mesh_cp.core.resources.tags import Selector
from kong_mesh_cp.core.schema.messages import Duration, Message, Uint32, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderValue(Message):
    """A header of the answer, added to what is there or in its place."""

    key: str = proto("", number=1)
    value: str = proto("", number=2)
    append: bool | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRateLimit(Message):
    """What the answer to a request over the limit looks like."""

    status: Uint32 | None = proto(number=1)
    headers: tuple[HeaderValue, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Message):
    """So many HTTP requests in an interval."""

    requests: Uint32 = proto(0, number=1)
    interval: Duration | None = proto(number=2)
    on_rate_limit: OnRateLimit | None = proto(number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """The limit by protocol; there is only HTTP."""

    http: Http | None = proto(number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(Message):
    """The spec of a RateLimit."""

    sources: tuple[Selector, ...] = proto((), number=1)
    destinations: tuple[Selector, ...] = proto((), number=2)
    conf: Conf | None = proto(number=3)


def violations(policy: RateLimit) -> list[Violation]:
    """Everything that is wrong with a RateLimit."""
    found = connection_violations(
        # Limits are kept by the destination's proxy, which knows all tags of both.
        policy.sources,
        policy.destinations,
        source_rules=ANY_TAG,
        destination_rules=ANY_TAG,
    )
    path = root("conf")
    if policy.conf is None:
        return [*found, path.violation("must have conf")]
    if policy.conf.http is not None:
        found += _http(policy.conf.http, path.field("http"))
    return found


def _http(http: Http, path: FieldPath) -> list[Violation]:
    found = []
    # Zero and absent are one in proto3.
    if not http.requests:
        found.append(path.field("requests").violation("requests must be set"))
    if http.interval is None:
        found.append(path.field("interval").violation("interval must be set"))
    headers = () if http.on_rate_limit is None else http.on_rate_limit.headers
    for index, header in enumerate(headers):
        # Clients see the place of a header as if it were a key.
        at = path.field("onRateLimit").field("header").key(str(index))
        if not header.key:
            found.append(at.violation("key must be set"))
        if not header.value:
            found.append(at.violation("value must be set"))
    return found


KIND: Final[Kind[RateLimit]] = proto_kind("RateLimit", RateLimit, violations)
