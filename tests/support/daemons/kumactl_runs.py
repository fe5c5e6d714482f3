"""Runs kumactl in this process, with streams, clock and home folder of its own."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kumactl import cli
from kumactl.console import Console

NOW: Final = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class User:
    """A user with a home folder; `url`, when given, is the control plane of every command."""

    home: Path
    url: str = ""
    slept: list[float] = field(default_factory=list)  # seconds, instead of letting them pass

    @property
    def config(self) -> Path:
        return self.home / ".kumactl" / "config"

    def configure(self, text: str) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def run(self, *argv: str, stdin: bytes = b"", now: datetime = NOW) -> Ran:
        if self.url and not self.config.exists():
            self.configure(CONFIG.format(url=self.url))
        out, err = io.StringIO(), io.StringIO()
        console = Console(
            stdin=io.BytesIO(stdin),
            stdout=out,
            stderr=err,
            now=lambda: now,
            home=self.home,
            sleep=self.slept.append,
        )
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(out):
            try:
                status = cli.run(list(argv), console)
            except SystemExit as stop:  # argparse's way to end on --help and usage errors
                status = int(stop.code or 0)
        return Ran(status, out.getvalue(), err.getvalue())


CONFIG: Final = """\
contexts:
- controlPlane: here
  name: here
controlPlanes:
- coordinates:
    apiServer:
      url: {url}
  name: here
currentContext: here
"""
