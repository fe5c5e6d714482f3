"""What `--log-level` shows: each request, on standard error, without what may be secret.

Headers and bodies hold tokens and keys, so they are never shown; addresses are, without a password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class LogLevel(StrEnum):
    """The original's: `info` shows each request, `debug` what came back and how long it took."""

    OFF = "off"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Writes lines with `note`, as far as `level` wants them."""

    level: LogLevel
    note: Callable[[str], None]

    def answered(
        self, method: str, url: str, status: int, body_bytes: int, milliseconds: float
    ) -> None:
        self._line(f"{method} {url}: {status}", f", {body_bytes} bytes in {milliseconds:.0f} ms")

    def failed(self, method: str, url: str, reason: str, milliseconds: float) -> None:
        self._line(f"{method} {url}: {reason}", f" after {milliseconds:.0f} ms")

    def _line(self, what: str, more: str) -> None:
        if self.level is LogLevel.OFF:
            return
        shown = what + more if self.level is LogLevel.DEBUG else what
        self.note(f"{self.level.upper()} {shown}")
