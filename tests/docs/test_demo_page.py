"""The demo shows what its page promises, can be looked at as the page says, and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.envoy_binary import envoy_binary
from support.staging.console_page import commands, files, fits, run, sections
from support.suites.patience import HANG_SECONDS

PAGE = sections("demo.md")
MANIFESTS = Path("daemon/kong_mesh_demo/manifests")
BIN = Path(".venv/bin").absolute()

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
    pytest.mark.skipif(not BIN.is_dir(), reason="needs the .venv of scripts/setup"),
]


class Demo:
    """scripts/demo, as somebody starts it in a terminal; its folder is below `temporary`."""

    def __init__(self, temporary: Path) -> None:
        envoy_binary()
        self.temporary = temporary
        self._said = temporary.parent / "said"
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                ["scripts/demo"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(temporary)},
                start_new_session=True,
                preexec_fn=_heeds_ctrl_c,  # noqa: PLW1509 - no other thread holds a lock
            )

    @property
    def said(self) -> list[str]:
        text = self._said.read_text()
        return [line for line in text.splitlines() if line.startswith("demo: ")]

    def wait_for(self, what: str) -> str:
        def line() -> str | None:
            assert self.process.poll() is None, self._said.read_text()
            return next((each for each in self.said if what in each), None)

        eventually(what, lambda: line() is not None)
        found = line()
        assert found is not None
        return found

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(HANG_SECONDS)

    def left(self) -> list[str]:
        """What is still there: files, and processes that know of its folder."""
        found = [str(path) for path in self.temporary.iterdir()]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(self.temporary) in told:
                found.append(f"{process.name} {told[:200]!r}")
        return found


def _heeds_ctrl_c() -> None:
    """As in a terminal: what runs in the background of a script is started without."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    # Short, for a Unix socket's path may have 107 bytes.
    folder = tmp_path_factory.mktemp("d") / "t"
    folder.mkdir()
    started = Demo(folder)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.end(signal.SIGINT)


def test_it_shows_what_the_page_shows_can_be_looked_at_and_leaves_nothing(demo: Demo) -> None:
    (shown,) = commands(PAGE["What it shows"])
    last = demo.wait_for("in another terminal")

    said = demo.said
    promised = shown.said.splitlines()
    assert len(said) == len(promised)
    for line, promise in zip(said, promised, strict=True):
        assert fits(line.replace(str(demo.temporary), "/tmp"), promise), (line, promise)

    sourced = re.findall(r": (\. \S+/env)", last)[0]
    for command in commands(PAGE["Look around"]):
        script = f"{sourced}; {command.line}"
        if "apply" in command.line or "delete" in command.line:
            told = run(demo.temporary, script, {})
            assert fits(told, command.said), f"$ {command.line}\n{told}"
        else:  # what was written before has to get to Envoy, or to the insight
            eventually(
                command.line,
                lambda script=script, shown=command.said: fits(
                    run(demo.temporary, script, {}), shown
                ),
            )

    assert demo.end(signal.SIGINT) == 0
    assert demo.said[-1] == "demo: ended, and nothing is left of it"
    assert demo.left() == []


def test_whoever_closes_the_terminal_while_it_starts_leaves_nothing(demo: Demo) -> None:
    demo.wait_for("starting")
    eventually("its programs", lambda: len(demo.left()) > 2)

    assert demo.end(signal.SIGHUP) == 0

    assert demo.left() == []


def test_a_program_that_ends_is_named_and_ends_the_demo(demo: Demo) -> None:
    demo.wait_for("in another terminal")
    pids = [int(each.split()[0]) for each in demo.left() if "kong-mesh-cp" in each]
    os.kill(pids[0], signal.SIGKILL)

    assert demo.process.wait(HANG_SECONDS) == 70
    assert demo.said[-1].startswith("demo: control-plane has ended with status -9")
    assert demo.left() == []


def test_the_page_has_the_manifest_that_the_demo_applies() -> None:
    (shown,) = files(PAGE["What it shows"])
    assert shown[1].partition("\n")[2] == (MANIFESTS / shown[0]).read_text()
