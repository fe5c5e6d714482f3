"""Log lines: with priorities for the journal, with a time for people."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kong_mesh_cp.shell.host import logs

SPEAK = """
import logging, sys
from kong_mesh_cp.shell.host import logs
logs.configure(sys.argv[1], journal=logs.on_journal(sys.argv[2]))
log = logging.getLogger("kong_mesh_cp.anything")
log.debug("d-code: debug")
log.info("i-code: info")
log.warning("w-code: %s", "warning")
log.error("e-code: one\\ntwo")
logging.getLogger("watchfiles.main").info("rust notify timeout")
"""


def said(level: str = "info", journal_stream: str = "", **popen: object) -> str:
    """What a child process with that configuration writes to its stderr."""
    child = subprocess.run(
        [sys.executable, "-c", SPEAK, level, journal_stream],
        stderr=subprocess.PIPE,
        check=True,
        **popen,  # type: ignore[call-overload]
    )
    text: str = child.stderr.decode()
    return text


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_a_person_reads_time_level_and_text() -> None:
    lines = said().splitlines()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO    i-code: info", lines[0])
    assert lines[1].endswith("Z WARNING w-code: warning")


@pytest.mark.parametrize("zone", ["UTC-14", "Asia/Kathmandu", "Nonsense/Zone", ""])
def test_the_time_is_utc_whatever_the_zone_of_the_machine(zone: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    odd = {"TZ": zone, "LC_ALL": "xx_XX.broken"}
    line = said(env={**os.environ, **odd}).splitlines()[0]

    assert before <= datetime.fromisoformat(line.split()[0]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("level", "codes"),
    [
        ("debug", ["d-code", "i-code", "w-code", "e-code"]),
        ("info", ["i-code", "w-code", "e-code"]),
        ("warning", ["w-code", "e-code"]),
        ("error", ["e-code"]),
        ("off", []),
    ],
)
def test_a_level_lets_through_itself_and_what_is_graver(level: str, codes: list[str]) -> None:
    assert re.findall(r"([diwe]-code):", said(level)) == codes


def test_the_chatter_of_the_file_watcher_is_left_out() -> None:
    assert "rust notify" not in said("debug")


def test_the_journal_gets_a_priority_for_every_line_and_no_time(tmp_path: Path) -> None:
    out = tmp_path / "stream"
    with out.open("wb") as stream:
        stream_id = f"{os.fstat(stream.fileno()).st_dev}:{os.fstat(stream.fileno()).st_ino}"
        subprocess.run([sys.executable, "-c", SPEAK, "debug", stream_id], stderr=stream, check=True)

    assert out.read_text().splitlines() == [
        "<7>d-code: debug",
        "<6>i-code: info",
        "<4>w-code: warning",
        "<3>e-code: one",
        "<3>two",
    ]


def test_a_redirected_stderr_is_not_the_journal_although_the_variable_is_inherited() -> None:
    assert not logs.on_journal("8:12345")
    assert not logs.on_journal("")
    stderr = os.fstat(2)
    assert logs.on_journal(f"{stderr.st_dev}:{stderr.st_ino}")


def test_a_closed_stderr_is_not_the_journal_and_ends_nothing() -> None:
    child = subprocess.run(
        ["bash", "-c", 'exec "$@" 2>&-', "bash", sys.executable, "-c", SPEAK, "info", "8:1"],
        check=False,
    )
    assert child.returncode == 0


def test_a_full_disk_behind_stderr_ends_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        child = subprocess.run([sys.executable, "-c", SPEAK, "info", ""], stderr=full, check=False)
    assert child.returncode in (0, 120)  # 120: the interpreter could not flush at its end


@pytest.mark.usefixtures("restored_logging")
def test_configuring_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", journal=True)
    logs.configure("info", journal=True)
    logging.getLogger("kong_mesh_cp.x").info("only-once: said")

    assert capsys.readouterr().err == "<6>only-once: said\n"
