"""A seat at the control plane of this machine, held over its admission socket while Envoy runs.

The kernel tells the control plane which process and unit asks, so the socket takes the place of a
token file: each admission brings a token for some minutes.

Source: docs/wire/kuma-dp.md#the-admission-socket
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError, NotNowError
from kuma_dp.given.dataplane_file import Proxy
from kuma_dp.http_exchange import Incoming, NoHttpError, ask

ANSWER_SECONDS_MAX: Final = 60.0  # a restarting control plane leaves us in the socket's queue
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.1, 5.0  # between two tries, longer each time
LINE_BYTES_MAX: Final = 256 * 1024
RENEWAL_SECONDS_MIN: Final = 10.0  # between two tokens that Envoy asked for
# Refusals that end by themselves, or when somebody else leaves.
_NOT_NOW: Final = frozenset(
    {"license-limit", "mesh-quota", "already-joined", "too-slow", "rate-limited", "busy"}
)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lines:
    """The lines of an answer that stays open."""

    incoming: Incoming
    rest: bytes = b""

    async def next(self) -> Mapping[str, Any] | None:
        """The next one, None at the end. Raises: NoHttpError, ValueError; those of the stream."""
        while b"\n" not in self.rest:
            part = await self.incoming.more()
            if not part:
                return None
            self.rest += part
            if len(self.rest) > LINE_BYTES_MAX:
                raise NoHttpError("a line of it has no end")
        line, _, self.rest = self.rest.partition(b"\n")
        read = json.loads(line)
        if not isinstance(read, dict):
            raise NoHttpError("a line of it is no object")
        return read


@dataclass(slots=True)
class _Seat:
    stream: trio.SocketStream
    lines: _Lines
    token: str


class Admission:
    """The seat of one proxy: `join` takes it, `hold` keeps it and takes it again."""

    def __init__(self, path: str, proxy: Proxy, bring: Callable[[str], Awaitable[None]]) -> None:
        """`bring` is called with each token, that of the first admission included."""
        self._path = path
        self._body = json.dumps(
            {"mesh": proxy.mesh, "name": proxy.name}
            if proxy.resource is None
            else {"dataplane": proxy.resource},
            ensure_ascii=False,
        ).encode()
        self._bring = bring
        self._seat: _Seat | None = None
        self._renewed = float("-inf")
        self._holding: trio.CancelScope | None = None

    async def join(self, seconds_max: float) -> None:
        """Take the seat, at the latest after `seconds_max` of trying.

        Raises: NotMendedByWaitingError; NotNowError, at once where the license has no room.
        """
        began = trio.current_time()
        pauses, told = _Pauses(), ""
        while True:
            try:
                await self._take()
            except NotNowError as error:
                pause = pauses.next(error.wait_seconds)
                full = error.code in {"license-limit", "mesh-quota"}
                if full or trio.current_time() - began + pause > seconds_max:
                    raise
                if error.line != told:
                    log.warning("%s Trying again.", error.line)
                    told = error.line
                await trio.sleep(pause)
            else:
                return

    async def hold(self) -> None:
        """Keep the seat until cancelled. While it is lost Envoy goes on with what it has."""
        pauses, wanted = _Pauses(), None
        while True:
            if self._seat is not None:
                await self._until_lost(self._seat)
                pauses, wanted = _Pauses(), None
            await trio.sleep(pauses.next(wanted))
            try:
                await self._take()
            except ControlPlaneError as error:
                wanted = error.wait_seconds if isinstance(error, NotNowError) else None
                if error.line != pauses.told:
                    log.warning("seat-lost: %s Envoy goes on; trying again.", error.line)
                    pauses.told = error.line
            else:
                log.info("seat-taken: this proxy has its seat again")

    def renew(self) -> bool:
        """Ask for another token, whose coming `bring` tells; False if that was done just now."""
        now = trio.current_time()
        if self._holding is None or now - self._renewed < RENEWAL_SECONDS_MIN:
            return False
        self._renewed = now
        self._holding.cancel()
        return True

    async def _until_lost(self, seat: _Seat) -> None:
        try:
            with trio.CancelScope() as self._holding:
                await self._listen(seat)
        finally:
            self._seat = None
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(seat.stream)

    async def _listen(self, seat: _Seat) -> None:
        """Return when the seat has ended."""
        try:
            while (event := await seat.lines.next()) is not None:
                _tell(event)
        except (OSError, trio.BrokenResourceError, NoHttpError, ValueError):
            return

    async def _take(self) -> None:
        try:
            stream = await trio.open_unix_socket(self._path)
        except OSError as error:
            raise self._closed_door(error) from None
        try:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                seat = await self._ask(stream)
                await self._bring(seat.token)
            self._seat = seat
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, NoHttpError, ValueError) as e:
            raise NotNowError(
                f"{self._path} gives no answer: {printable(e) or 'it took too long'}",
                code="admission-socket-silent",
                hint="Look whether the control plane runs.",
            ) from None
        finally:
            if self._seat is None:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)

    async def _ask(self, stream: trio.SocketStream) -> _Seat:
        headers = {"Content-Type": "application/json"}
        incoming = await ask(
            stream, "POST", "/v1/admissions", host="localhost", body=self._body, headers=headers
        )
        if incoming.status != 200:
            raise _refusal((await incoming.whole()).body)
        lines = _Lines(incoming)
        first = await lines.next()
        if first is None:
            raise NoHttpError("it hung up")
        for warning in first.get("warnings", ()):
            log.warning("%s: %s", warning.get("code"), printable(warning.get("message")))
        token = first.get("token", "")
        if not token:
            raise NotNowError(
                "the control plane has admitted this proxy, but made no token for it",
                code="token-not-issued",
                hint="Its log has the reason: token-not-issued.",
            )
        return _Seat(stream, lines, str(token))

    def _closed_door(self, error: OSError) -> ControlPlaneError:
        if isinstance(error, PermissionError):
            return NotMendedByWaitingError(
                f"this user may not open the admission socket {self._path}",
                code="admission-socket-forbidden",
                hint="Run kuma-dp as a member of the group kong-mesh.",
            )
        return NotNowError(
            f"nobody serves the admission socket {self._path}: {error.strerror or error}",
            code="admission-socket-missing",
            hint="Start the control plane of this machine, or give --dataplane-token-file instead.",
        )


@dataclass(slots=True)
class _Pauses:
    """Growing and slightly random, so that the proxies of a machine do not come all at once."""

    seconds: float = 0.0  # the first try is at once: the control plane keeps what is back soon
    told: str = ""  # the last line that was logged meanwhile

    def next(self, wanted: float | None) -> float:
        pause = self.seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret
        self.seconds = min(max(2 * self.seconds, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)
        return pause if wanted is None else max(pause, wanted)


def _tell(event: Mapping[str, Any]) -> None:
    said = event.get("reason") or event.get("message") or ""
    hint = event.get("hint") or ""
    words = " ".join(f"{printable(each).rstrip('.')}." for each in (said, hint) if each)
    name = printable(event.get("event", ""))
    if name in {"license-warning", "seat-ended"}:
        log.warning("%s: %s %s", name, printable(event.get("code", "")), words)


def _refusal(body: bytes) -> ControlPlaneError:
    """What a problem document means."""
    problem = json.loads(body)
    code = str(problem.get("code") or "admission-refused")
    fields = problem.get("invalid_parameters", ())
    wrong = "; ".join(f"{each.get('field')}: {each.get('reason')}" for each in fields)
    reason = printable(problem.get("reason") or problem.get("detail") or "no reason").rstrip(".")
    message = f"{reason}: {printable(wrong)}" if wrong else reason
    hint = printable(problem.get("hint") or "Its log has the reason.")
    if code not in _NOT_NOW:
        return NotMendedByWaitingError(message, code=code, hint=hint)
    refused = NotNowError(message, code=code, hint=hint)
    seconds = problem.get("retryAfterSeconds")
    refused.wait_seconds = float(seconds) if isinstance(seconds, int | float) else None
    return refused
