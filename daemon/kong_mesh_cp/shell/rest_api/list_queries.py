"""The queries of lists: pages and filters, and the address of the next page.

Source: docs/wire/resource-api.md#lists
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from kong_mesh_cp.core.resources.kinds.insights import ServiceType
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.rest_api.base_path import address_of
from kong_mesh_cp.usecases.resources.queries import (
    PAGE_ITEMS,
    PAGE_ITEMS_MAX,
    GatewayFilter,
    Listing,
    ListQuery,
)
from kong_mesh_cp.usecases.resources.resource_refusals import (
    LIST,
    Fault,
    ResourceRefusedError,
    invalid,
    unreadable,
)

T = TypeVar("T")

OFFSET_MAX = 2**53  # what every reader of JSON counts exactly
TAGGED = frozenset({"Dataplane", "ExternalService"})

_NUMBER = re.compile(r"[+-]?[0-9]{1,16}")
_FILTER = "filter["
_LABEL_FILTER = "filter[labels."

Pairs = Sequence[tuple[str, str]]


def pairs_of(request: Request) -> Pairs:
    """Names and values in order, repeated ones too."""
    return parse_qsl(request.raw_query, keep_blank_values=True)


def page_query(request: Request, title: str) -> ListQuery:
    """Of a list without filters: a page, and a part of the names; `title` is for refusals.

    Raises: ResourceRefusedError.
    """
    return ListQuery(
        size=_size(request.query.get("size", ""), title),
        offset=_offset(request.query.get("offset", ""), title),
        name=request.query.get("name", ""),
    )


def list_query(request: Request, route: str, type_name: str) -> ListQuery:
    """What a list of `type_name` under the path pattern `route` is asked for.

    Raises: ResourceRefusedError.
    """
    pairs = pairs_of(request)
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    paged = page_query(request, LIST)
    return replace(
        paged,
        labels=_labels(pairs, route),
        tags=_tags(pairs) if type_name in TAGGED else {},
        gateway=_gateway(first.get("gateway", ""), route) if type_name == "Dataplane" else None,
    )


def _size(text: str, title: str) -> int:
    if not text:
        return PAGE_ITEMS
    if not _NUMBER.fullmatch(text) or int(text) < 0:
        raise _bad_page(title, "Invalid page size", "size", "invalid format")
    if int(text) > PAGE_ITEMS_MAX:
        reason = f"invalid page size of {int(text)}. Maximum page size is {PAGE_ITEMS_MAX}"
        raise _bad_page(title, "Invalid page size", "size", reason)
    return int(text) or PAGE_ITEMS  # pages without items would have no end


def _offset(text: str, title: str) -> int:
    if not text:
        return 0
    if not _NUMBER.fullmatch(text) or not 0 <= int(text) <= OFFSET_MAX:
        raise _bad_page(title, "Invalid offset", "offset", "Invalid format")
    return int(text)


def _bad_page(title: str, detail: str, field: str, reason: str) -> ResourceRefusedError:
    return ResourceRefusedError(Fault.INVALID, title, detail, [Violation(field, reason)])


def _labels(pairs: Pairs, route: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    wrong: list[Violation] = []
    for name, value in pairs:
        if not name.startswith(_FILTER):
            continue
        label, closed, behind = name.removeprefix(_LABEL_FILTER).partition("]")
        if not name.startswith(_LABEL_FILTER):
            wrong.append(Violation(f"{route}.{name}", "filters are only supported on labels"))
        elif behind or not closed:
            wrong.append(Violation(f"{route}.{name}", "advanced filters are not supported"))
        else:
            labels[label] = value
    if wrong:
        raise invalid(LIST, wrong)
    return labels


def _tags(pairs: Pairs) -> Mapping[str, str]:
    tags = (value.partition(":") for name, value in pairs if name == "tag")
    return {key: value for key, colon, value in tags if colon}


def _gateway(text: str, route: str) -> GatewayFilter | None:
    if not text:
        return None
    mode = text.lower()
    try:
        return GatewayFilter(mode)
    except ValueError:
        # The spelling is the original's.
        reason = f"shoud use `true`, `false`, 'builtin' or 'delegated' instead of {mode}"
        raise invalid(LIST, [Violation(f"{route}.gateway", reason)]) from None


def service_types(request: Request) -> Collection[ServiceType]:
    """The types of services in `type=internal,external`. Raises: ResourceRefusedError."""
    named = request.query.get("type", "")
    if not named:
        return ()
    known = {each.name: each for each in ServiceType}
    try:
        return tuple(known[name.strip().lower()] for name in named.split(","))
    except KeyError:
        raise unreadable("bad request: unsupported service type") from None


def next_page(request: Request, listing: Listing[T]) -> str | None:
    """The address of the page after this one; None on the last one."""
    if listing.next_offset is None:
        return None
    kept = [(name, value) for name, value in pairs_of(request) if name != "offset"]
    query = sorted([*kept, ("offset", str(listing.next_offset))], key=lambda pair: pair[0])
    host = request.headers.get("host", "")
    scheme = "https" if request.peer.secure else "http"
    path = address_of(request.base_path + request.path)
    return f"{scheme}://{host}{path}?{urlencode(query)}"
