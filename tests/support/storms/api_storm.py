"""Many clients write over HTTP; the control plane, or its database, is killed; all is compared.

A write that was answered must be there, as it was answered last; one that was not may be there or
not, whole. What was answered is remembered over all rounds.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from kong_mesh_cp.usecases.ports.resource_store import Selection
from support.daemons.daemon import Daemon, eventually
from support.daemons.keep_alive import Bundle, KeptConnection, Reply, http_request
from support.storms.resource_crashes import opened_store
from support.storms.storm_model import COLLECTIONS, Json, Lane, Write, compare_default_mesh

LANES: Final = 16
PAGE: Final = 1000
START_KILLED: Final = 0.2  # how often the start after a kill is killed as well
START_SECONDS_MAX: Final = 0.6  # into which the second kill falls
ENVIRONMENT: Final = {
    "KMESH_LOG_LEVEL": "warning",
    # A mesh then goes with its proxies: the largest cascade there is.
    "KUMA_STORE_UNSAFE_DELETE": "true",
}


@dataclass(slots=True)
class Figures:
    """Of all rounds so far."""

    rounds: int = 0
    sent: int = 0
    acknowledged: int = 0
    doubted: int = 0  # had no answer
    made: int = 0  # of those, were made
    meshes: int = 0  # made or taken out whole, among the acknowledged
    seconds: float = 0.0  # of writing

    def line(self, resources: int) -> str:
        rate = self.acknowledged / self.seconds if self.seconds else 0
        return (
            f"{self.rounds} rounds: {self.acknowledged} writes acknowledged ({rate:.0f}/s),"
            f" {self.meshes} of them of whole meshes; {self.doubted} without an answer, of which"
            f" {self.made} were made; {resources} resources at the end; all as acknowledged"
        )


class Storm:
    """One control plane under fire, and what it has promised."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.daemon = daemon
        self.random = random.Random(seed)
        self.lanes = [Lane(each, random.Random(self.random.random())) for each in range(LANES)]
        self.figures = Figures()

    @property
    def resources(self) -> int:
        return sum(len(lane.records) for lane in self.lanes)

    def round(self, writes: int, *, database: Callable[[], None] | None = None) -> None:
        """Write until `writes` are sent, or until the kill at some moment before; then compare.

        `database`: kills the database instead, and starts it again; the control plane lives on.
        """
        started = time.monotonic()
        self._write(writes, self.random.randrange(writes), database)
        self.figures.seconds += time.monotonic() - started
        if database is None:
            self._restart()
        self._compare()
        self.figures.rounds += 1

    def _write(self, writes: int, moment: int, database: Callable[[], None] | None) -> None:
        bundle = Bundle(address_of(self.daemon), LANES)
        under_way: dict[int, Write] = {}
        left, answers, killed = writes, 0, False
        try:
            for number in range(LANES):
                left -= self._send(bundle, number, under_way)
            while under_way.keys() & bundle.open:
                for number, reply in bundle.arrived():
                    self._judge(number, under_way.pop(number), reply, lenient=bool(database))
                    answers += 1
                    if left > 0 and (database or not killed):
                        left -= self._send(bundle, number, under_way)
                if answers >= moment and not killed:
                    killed = True
                    if database is None:
                        self.daemon.stop(signal.SIGKILL)
                    else:
                        database()
        finally:
            bundle.close()
        for number, write in under_way.items():
            self._doubt(number, write)

    def _send(self, bundle: Bundle, number: int, under_way: dict[int, Write]) -> int:
        write = self.lanes[number].next_write()
        if write is None:
            return 0
        under_way[number] = write
        method = "DELETE" if write.body is None else "PUT"
        bundle.send(number, http_request(method, write.path, write.body))
        self.figures.sent += 1
        return 1

    def _judge(self, number: int, write: Write, reply: Reply, *, lenient: bool) -> None:
        """`lenient`: the database is killed in this round, so it may have failed."""
        if lenient and reply.status >= 500:
            self._doubt(number, write)
            return
        lane = self.lanes[number]
        assert reply.status == lane.expected_status(write), (write, reply)
        whole = write.is_of_mesh and (write.body is None or reply.status == 201)
        lane.acknowledged(write)
        self.figures.acknowledged += 1
        self.figures.meshes += whole

    def _doubt(self, number: int, write: Write) -> None:
        self.lanes[number].doubted(write)
        self.figures.doubted += 1

    def _restart(self) -> None:
        if self.random.random() < START_KILLED:
            self.daemon.launch()
            # Not to wait for anything: some moment of a start.
            time.sleep(self.random.random() * START_SECONDS_MAX)
            self.daemon.stop(signal.SIGKILL)
        self.daemon.start()

    def _compare(self) -> None:
        found = everything(self.daemon)
        for lane in self.lanes:
            self.figures.made += lane.settle(found)
            lane.compare(found)
        compare_default_mesh(found)

    def compare_versions(self, store: str, directory: Path) -> None:
        """Each write has counted once: read from the store that the killed daemon left.

        `store` as in support.storms.resource_crashes.
        """
        stored = versions(store, directory)
        promised = {path: version for lane in self.lanes for path, version in lane.versions.items()}
        assert {path: stored.get(path) for path in promised} == promised


def address_of(daemon: Daemon) -> tuple[str, int]:
    """Of its API."""
    at = urlsplit(f"//{daemon.addresses['api'].removeprefix('http://')}")
    assert at.hostname is not None and at.port is not None
    return at.hostname, at.port


def everything(daemon: Daemon) -> Mapping[str, Json]:
    """What the API shows, by path."""
    found: dict[str, Json] = {}
    with KeptConnection(address_of(daemon)) as connection:
        for collection in COLLECTIONS:
            offset, total = 0, 1
            while offset < total:
                page = _page(connection, f"/{collection}?size={PAGE}&offset={offset}")
                for item in page["items"]:
                    mesh = f"/meshes/{item['mesh']}" if "mesh" in item else ""
                    found[f"{mesh}/{collection}/{item['name']}"] = item
                offset, total = offset + PAGE, page["total"]
    return found


def _page(connection: KeptConnection, path: str) -> Json:
    """A database that was killed a moment ago may not be answering yet."""
    replies: list[Reply] = []

    def answered() -> bool:
        replies.append(connection.ask("GET", path))
        return replies[-1].status < 500

    eventually(path, answered)
    assert replies[-1].status == 200, replies[-1]
    page: Json = json.loads(replies[-1].body)
    return page


def versions(store: str, directory: Path) -> dict[str, int]:
    """How often each resource was written since it was made, by path; past the API."""
    return trio.run(_versions, store, directory)


async def _versions(store: str, directory: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    async with opened_store(store, directory) as resources:
        for collection, type_ in COLLECTIONS.items():
            for one in (await resources.list(Selection(type=type_))).items:
                mesh = f"/meshes/{one.key.mesh}" if one.key.mesh else ""
                found[f"{mesh}/{collection}/{one.key.name}"] = one.version
    return found
