"""One daemon, many requests, and what must hold of it afterwards."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.postgres import PostgresServer
from support.daemons.postgres_daemons import variables
from support.storms.schema_fuzzer import Report, SchemaFuzzer

STORES = ("memory", "sqlite", "postgres")
MADE_LAST = "/global-secrets/admin-user-token"

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) {1,4}\S")
_DEFECTS = ("request-failed:", "answer-too-slow:", "Traceback")


def fuzzed(directory: Path, *, store: str, count: int, seed: int) -> Report:
    """Ask a daemon with this store about `count` times; what is wrong is in the report."""
    with _stored_in(store) as environment, running(directory, environment=environment) as daemon:
        fuzzer = SchemaFuzzer(daemon.addresses["api"], seed_=seed)
        eventually("all that a start makes", lambda: daemon.api("GET", MADE_LAST).status == 200)
        fuzzer.run(count)
        failures = fuzzer.report.failures
        failures.extend(fuzzer.unreadable())
        failures.extend(_unserved(daemon))
        if store != "memory":
            failures.extend(_lost(daemon))
        failures.extend(_bad_lines(daemon.stderr))
        return fuzzer.report


@contextlib.contextmanager
def _stored_in(store: str) -> Iterator[Mapping[str, str]]:
    """The environment of a daemon with this store."""
    match store:
        case "memory":
            yield {"KUMA_STORE_TYPE": "memory"}
        case "sqlite":
            yield {}
        case _:
            with PostgresServer.serving() as server:
                yield variables(server.new_database())


def _unserved(daemon: Daemon) -> list[str]:
    with daemon.seat("after-all") as seat:
        if not seat.admitted:
            return [f"a proxy of the default mesh is refused: {seat.first}"]
    ready = daemon.diagnostics("/ready").status
    return [] if ready == 200 else [f"/ready: {ready}"]


def _lost(daemon: Daemon) -> list[str]:
    """What is not there any more after a restart."""
    before = _counted(daemon)
    daemon.stop()
    daemon.start()
    after = _counted(daemon)
    again = SchemaFuzzer(daemon.addresses["api"], seed_=0)
    return [*([] if before == after else [f"{before} became {after}"]), *again.unreadable()]


def _counted(daemon: Daemon) -> dict[str, object]:
    """How many there are of each global type; a start keeps no Zone but its own.

    Source: docs/wire/meshes.md#first-start
    """
    counted = daemon.api("GET", "/global-insights").json["resources"]
    assert isinstance(counted, dict)
    return {name: total for name, total in counted.items() if name != "Zone"}


def _bad_lines(log: str) -> list[str]:
    """Lines that a request has forged, and defects."""
    return [
        f"in the log: {line}"
        for line in log.splitlines()
        if not _LINE.match(line) or any(word in line for word in _DEFECTS)
    ]
