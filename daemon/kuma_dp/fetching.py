"""One GET over HTTP/1.1, its answer handed on as it comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kuma_dp.http_exchange import Incoming, NoHttpError

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
REDIRECTS_MAX: Final = 3
SUCCESS: Final = 200
_NO_TEXT: Final = frozenset(map(chr, (*range(32), 127)))


class FetchError(Exception):
    """There is no whole answer. The text says why."""


class Sink(Protocol):
    """Takes a body."""

    def feed(self, data: bytes) -> None: ...


Connect = Callable[[], Awaitable[trio.abc.Stream]]
Begin = Callable[[str], Sink]
"""Called with the content type of a successful answer, before its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for, of whom; `authority` is what stands in Host."""

    connect: Connect
    authority: str
    target: str
    headers: Mapping[str, str]


async def fetch(wanted: Wanted, begin: Begin) -> None:
    """Follows redirections within the same server, as frameworks make them for a slash.

    Raises: FetchError; what is no success is one, too. The caller bounds the time.
    """
    target = wanted.target
    for _ in range(REDIRECTS_MAX + 1):
        answer = await _exchange(wanted, target, begin)
        if answer.status == SUCCESS:
            return
        location = answer.headers.get("location", "")
        if not location or answer.status // 100 != 3:
            raise FetchError(f"it answers with {answer.status}")
        target = _redirected(wanted, target, location)
    raise FetchError("it redirects and redirects")


async def fetch_status(wanted: Wanted) -> int:
    """The status alone: the body is not waited for. Raises: FetchError."""
    return (await _exchange(wanted, wanted.target)).status


def _redirected(wanted: Wanted, target: str, location: str) -> str:
    here = f"http://{wanted.authority}"
    try:
        parts = urlsplit(urljoin(here + target, location))
    except ValueError:
        raise FetchError("it redirects to no address") from None
    if (parts.scheme, parts.netloc) != ("http", wanted.authority):
        raise FetchError("it redirects to another server")
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _exchange(wanted: Wanted, target: str, begin: Begin | None = None) -> Incoming:
    """Asks; the body of a success goes to what `begin` makes, any other is not read."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {wanted.authority}",
        *(f"{name}: {value}" for name, value in wanted.headers.items()),
        "Connection: close",
    ]
    if any(c in _NO_TEXT for line in lines for c in line) or " " in target + wanted.authority:
        raise FetchError("its address has a blank or a control character")
    head = "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")
    try:
        async with await wanted.connect() as stream:
            await stream.send_all(head)
            answer = Incoming(stream)
            await answer.head()
            if begin is not None and answer.status == SUCCESS:
                await _pour(answer, begin(answer.headers.get("content-type", "")))
    except NoHttpError as error:
        raise FetchError(str(error)) from error
    except (OSError, ValueError, trio.BrokenResourceError) as error:
        raise FetchError(str(_first(error.__cause__ or error))) from error
    return answer


def _first(error: BaseException) -> BaseException:
    """Of several that came together: one for each address of a name, which say the same."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _pour(answer: Incoming, sink: Sink) -> None:
    size = 0
    while part := await answer.more():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise FetchError(f"its answer is longer than {BODY_BYTES_MAX // 2**20} MiB")
        sink.feed(part)
