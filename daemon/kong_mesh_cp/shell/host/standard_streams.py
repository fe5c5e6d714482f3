"""Standard input, output and error that can be used, however this process was started."""

from __future__ import annotations

import io
import os
import sys

STDIN, STDOUT, STDERR = 0, 1, 2


def mend() -> None:
    """Open what is closed; what a stream's encoding lacks is written as an escape."""
    # The number of a closed stream would go to the next file that is opened, say the store, and
    # what is printed would end up in there.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(spare)
    if sys.__stdin__ is None:
        sys.stdin = open(STDIN, closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.__stdout__ is None:
        sys.stdout = open(STDOUT, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.__stderr__ is None:
        sys.stderr = open(STDERR, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    # Nor may a letter that the locale lacks end a command in the middle of a line.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
