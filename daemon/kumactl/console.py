"""Where a command reads and writes; the only way words reach the user."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The streams, the clock, the home folder and the variables that one run of kumactl has."""

    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime]  # aware, UTC
    home: Path
    sleep: Callable[[float], None] = time.sleep  # seconds
    environment: Mapping[str, str] = field(default_factory=dict)

    def line(self, text: str) -> None:
        """One line of result; control characters in it are shown, not obeyed."""
        self.stdout.write(printable(text) + "\n")

    def document(self, text: str) -> None:
        """Text that was made for a reader or a file, and ends in a newline if it wants one."""
        self.stdout.write(text)

    def foreign(self, text: str) -> None:
        """Many lines of another program: as they are, but for what a terminal would obey."""
        self.stdout.write(_OBEYED.sub(lambda match: ascii(match[0])[1:-1], text))

    def note(self, text: str) -> None:
        """One line beside the result: a warning, what is being done."""
        self.stderr.write(printable(text) + "\n")

    def secret(self, text: str) -> None:
        """A token or a key, without a newline: `> file` must hold nothing else."""
        self.stdout.write(text)
        if self.stdout.isatty():
            self.stdout.write("\n")


# Controls but newline and tab, and the marks that turn the direction of writing.
_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""`text` with every control character escaped: `\x1b`.

    Names come from servers and files; a terminal must not act on what is in them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
