"""`kuma-dp wait`: until a proxy on this machine is ready, for what has to start after it."""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import SplitResult, urlsplit

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kuma_dp.errors import NotMendedByWaitingError, NotNowError
from kuma_dp.fetching import SUCCESS, FetchError, Wanted, fetch_status

_HTTP_PORT: Final = 80

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is asked, and for how long. Spans are in seconds."""

    url: str
    check_seconds: float  # from the begin of a try to that of the next
    seconds: float  # altogether
    request_seconds: float


async def wait(waiting: Waiting) -> None:
    """Return when the address answers 200.

    Raises: NotMendedByWaitingError when it is no address; NotNowError when time is over.
    """
    wanted = _wanted(waiting.url)
    why = ""
    with trio.move_on_after(waiting.seconds):
        while True:
            begun = trio.current_time()
            before, why = why, await _why_not(wanted, waiting.request_seconds)
            if not why:
                log.info("the proxy is ready")
                return
            if why != before:
                log.info("the proxy is not ready: %s", why)
            await trio.sleep_until(begun + waiting.check_seconds)
    raise NotNowError(
        f"the proxy is not ready after {waiting.seconds:g} s: {waiting.url}: {why or 'no answer'}",
        code="proxy-not-ready",
        hint="See its log; kuma-dp itself answers on port 9902 (KUMA_READINESS_PORT).",
    )


async def _why_not(wanted: Wanted, seconds: float) -> str:
    with trio.move_on_after(seconds):
        try:
            status = await fetch_status(wanted)
        except FetchError as error:
            return str(error)
        return "" if status == SUCCESS else f"it answers with {status}"
    return f"no answer within {seconds:g} s"


def _wanted(url: str) -> Wanted:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _HTTP_PORT
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, _HTTP_PORT
    if parts.scheme != "http" or not host:
        raise NotMendedByWaitingError(
            f"--url: {url!r} is no http:// address",
            code="setting-malformed",
            hint="Give one such as http://localhost:9901/ready.",
        )

    async def connect() -> trio.abc.Stream:
        return await trio.open_tcp_stream(host, port)

    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Wanted(
        connect=connect,
        authority=parts.netloc.rpartition("@")[2],
        target=target,
        headers={},
    )
