"""dig of BIND, where it is installed: an asker that is not ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
import trio


@dataclass(frozen=True)
class Dug:
    """What dig has printed of an answer."""

    text: str

    @property
    def status(self) -> str:
        return self.text.partition("status: ")[2].partition(",")[0]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.text.splitlines() if "WARNING" in line or "expected" in line]

    @property
    def addresses(self) -> list[str]:
        """The data of the records in the answer section."""
        section = self.text.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
        return [line.split()[-1] for line in section.splitlines()]


async def dig(port: int, name: str, *options: str) -> Dug:
    """Skips the test where there is no dig."""
    done = await trio.run_process(_command(port, name, options), capture_stdout=True, check=False)
    return Dug(done.stdout.decode())


def dig_here(port: int, name: str, *options: str) -> Dug:
    """The same in the network of the calling thread: trio starts programs in threads that it keeps,
    each in the network in which it was made.
    """
    done = subprocess.run(
        _command(port, name, options), stdout=subprocess.PIPE, text=True, check=False
    )
    return Dug(done.stdout)


def _command(port: int, name: str, options: Iterable[str]) -> list[str]:
    program = shutil.which("dig")
    if program is None:
        pytest.skip("there is no dig: apt-get install bind9-dnsutils")
    return [program, "@127.0.0.1", "-p", str(port), "+tries=1", "+timeout=30", name, *options]
