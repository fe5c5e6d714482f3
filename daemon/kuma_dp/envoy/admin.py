"""Envoy's admin interface, as far as a start and a stop need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import trio

from kuma_dp.http_exchange import Answer, NoHttpError, ask

ANSWER_SECONDS_MAX: Final = 5.0
LOOK_SECONDS: Final = 0.05  # between two looks whether it is live


class AdminError(Exception):
    """It did not answer, or not as it should; the text says how."""


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin interface of one Envoy."""

    host: str
    port: int  # 0: there is none

    async def wait_until_live(self) -> None:
        """Return when it has all its configuration and listens."""
        while True:
            try:
                if (await self._asked("GET", "/ready")).status == 200:
                    return
            except AdminError:
                pass  # it has only just been started
            await trio.sleep(LOOK_SECONDS)

    async def fail_health_checks(self) -> None:
        """Let it say of itself that it is not healthy. Raises: AdminError."""
        await self._done("/healthcheck/fail")

    async def drain(self) -> None:
        """Let it end the connections of its inbounds one by one, and go on. Raises: AdminError."""
        await self._done("/drain_listeners?inboundonly&graceful&skip_exit")

    async def _done(self, target: str) -> None:
        answer = await self._asked("POST", target)
        if answer.status != 200:
            raise AdminError(f"{target} was answered {answer.status}")

    async def _asked(self, method: str, target: str) -> Answer:
        if not self.port:
            raise AdminError("it has no admin interface")
        try:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                async with await trio.open_tcp_stream(self.host, self.port) as stream:
                    incoming = await ask(
                        stream, method, target, host="localhost", headers={"Connection": "close"}
                    )
                    return await incoming.whole()
        except trio.TooSlowError:
            raise AdminError(f"no answer within {ANSWER_SECONDS_MAX:g} s") from None
        except (OSError, trio.BrokenResourceError, NoHttpError) as error:
            raise AdminError(str(error)) from None
