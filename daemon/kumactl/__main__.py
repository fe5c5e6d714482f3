"""`kumactl` and `python -m kumactl`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kumactl import cli
from kumactl.console import Console
from kumactl.errors import EXIT_FAILED, EXIT_INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command on the streams of this process. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its escape.
            stream.reconfigure(errors="backslashreplace")
    console = Console(
        stdin=sys.stdin.buffer,
        stdout=sys.stdout,
        stderr=sys.stderr,
        now=_wall_clock,
        home=_home(),
        environment=os.environ,  # noqa: TID251 (the outermost layer of this program)
    )
    try:
        status = cli.run(sys.argv[1:] if argv is None else list(argv), console)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has enough; the interpreter must not flush into it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return status


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry for this user: a container's arbitrary uid
        return Path("/nonexistent")


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (the outermost layer of this program)


if __name__ == "__main__":
    sys.exit(main())
