"""Log lines on stderr: with priorities where journald reads them, with a time where it does not."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}

# sd-daemon(3): a line that starts with <N> gets that syslog priority.
_JOURNAL_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class JournalFormatter(logging.Formatter):
    """Every line of a record carries the priority: journald splits records at newlines."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_JOURNAL_PRIORITIES.get(record.levelno, 6)}>"
        return priority + super().format(record).replace("\n", "\n" + priority)


class TerminalFormatter(logging.Formatter):
    """`2026-11-21T22:40:00Z WARNING code: text`."""

    def __init__(self, worded: Callable[[str], str] | None = None) -> None:
        """`worded`: what to make of each line."""
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._worded = worded

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line if self._worded is None else self._worded(line)


def on_journal(journal_stream: str) -> bool:
    """Whether stderr is the stream that systemd says it connected to the journal.

    `journal_stream` is $JOURNAL_STREAM, `device:inode`; a child whose stderr was redirected
    inherits the variable but not the stream (systemd.exec(5)).
    """
    try:
        stderr = os.fstat(2)
    except OSError:
        return False
    return journal_stream == f"{stderr.st_dev}:{stderr.st_ino}"


def configure(level: str, *, journal: bool, worded: Callable[[str], str] | None = None) -> None:
    """Send all log records of `level` (a key of LEVELS) and above to stderr.

    `worded`: what to make of each line that is not for the journal.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalFormatter() if journal else TerminalFormatter(worded))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    # Watching files says something at every poll of its own; our own watch says what matters.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    # A full disk behind stderr must not turn each log line into a traceback of its own.
    logging.raiseExceptions = False
