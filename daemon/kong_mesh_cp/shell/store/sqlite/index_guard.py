"""Keeps the process alive where somebody cuts the index of SQLite's log.

SQLite has that file (`-shm`) mapped into memory. Where it is shorter than what is mapped, touching
the rest raises SIGBUS, which ends the process. While a handler is installed, the thread that
touched it tries again and again instead, and it does so without Python's lock; so another thread
may make the file as long as it was. SQLite finds zeros then, and makes the index anew from the log.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

LOOK_SECONDS: Final = 0.5  # so long the threads that use the store may have to wait


def survive_bus_errors() -> None:
    """To be called once, from the main thread, before a guarded index is used.

    A fault that nobody mends makes its thread wait for ever: then the watchdog of systemd ends the
    process, which the signal would have done.
    """
    signal.signal(signal.SIGBUS, lambda _number, _frame: None)


@contextmanager
def guarded(keep_length: Callable[[], None]) -> Iterator[None]:
    """While entered, `keep_length` is called often, in a thread of its own."""
    ended = threading.Event()

    def guard() -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(OSError):  # tried again
                keep_length()

    thread = threading.Thread(target=guard, name="store-index-guard", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
