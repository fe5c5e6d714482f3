"""One daemon, many requests, and what must hold of it afterwards."""

from __future__ import annotations

import re
from pathlib import Path

from support.daemon import Daemon, eventually, running
from support.schema_fuzzer import Report, SchemaFuzzer

STORES = ("memory", "sqlite")

# Set by scripts and tests alone; what a daemon makes by itself is then the same on every run.
_ENVIRONMENT = {"memory": {"KUMA_STORE_TYPE": "memory"}, "sqlite": {}}
_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) {1,4}\S")
_DEFECTS = ("request-failed:", "answer-too-slow:", "Traceback")


def fuzzed(directory: Path, *, store: str, count: int, seed: int) -> Report:
    """Ask a daemon with this store about `count` times; what is wrong is in the report."""
    with running(directory, environment=_ENVIRONMENT[store]) as daemon:
        fuzzer = SchemaFuzzer(daemon.addresses["api"], seed_=seed)
        eventually("the default mesh", lambda: daemon.api("GET", "/meshes/default").status == 200)
        fuzzer.run(count)
        failures = fuzzer.report.failures
        failures.extend(fuzzer.unreadable())
        failures.extend(_unserved(daemon))
        if store != "memory":
            failures.extend(_lost(daemon))
        failures.extend(_bad_lines(daemon.stderr))
        return fuzzer.report


def _unserved(daemon: Daemon) -> list[str]:
    with daemon.seat("after-all") as seat:
        if not seat.admitted:
            return [f"a proxy of the default mesh is refused: {seat.first}"]
    ready = daemon.diagnostics("/ready").status
    return [] if ready == 200 else [f"/ready: {ready}"]


def _lost(daemon: Daemon) -> list[str]:
    """What is not there any more after a restart."""
    before = daemon.api("GET", "/global-insights").json["resources"]
    daemon.stop()
    daemon.start()
    after = daemon.api("GET", "/global-insights").json["resources"]
    again = SchemaFuzzer(daemon.addresses["api"], seed_=0)
    return [*([] if before == after else [f"{before} became {after}"]), *again.unreadable()]


def _bad_lines(log: str) -> list[str]:
    """Lines that a request has forged, and defects."""
    return [
        f"in the log: {line}"
        for line in log.splitlines()
        if not _LINE.match(line) or any(word in line for word in _DEFECTS)
    ]
