"""Proxies that come and go on ADS at random while their control planes are killed.

Each proxy is a thread with grpc's own client, which notes when it was surely configured: from its
first response until it hung up, heard that the connection was lost, or its control plane was
killed: a proxy may hear of that much later, on a busy machine. A control plane that is killed keeps
the seats of those who were there, so these spans never overlap more often than the license allows,
whoever died in between.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

import grpc

from kong_mesh_cp.shell.dp_server.methods import STATE_OF_THE_WORLD
from support.daemons.daemon import Daemon, eventually
from support.data_plane.ads_clients import acknowledgement, certificate, first_request, token
from support.storms.storm import merged, most_at_once
from support.suites.patience import HANG_SECONDS

LIMIT = 5  # of the pre-bundled license
PROXIES = 12
HOLD_SECONDS_MAX = 1.0
RETRY_SECONDS_MAX = 0.2
CALM_SECONDS_MAX = 1.5  # between two kills
STAY_SECONDS = 1  # before what a stream has registered goes

# Said by a control plane that has no seat, is not ready, is not there, or was killed.
EXPECTED = {
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,  # of a connection that broke inside of a frame, by grpc's client
    grpc.StatusCode.UNKNOWN,
}


def environment(port: int) -> dict[str, str]:
    """Of a control plane whose proxies leave quickly."""
    return {
        "KUMA_DP_SERVER_PORT": str(port),
        "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": f"{STAY_SECONDS}s",
        "KUMA_XDS_SERVER_DATAPLANE_STATUS_FLUSH_INTERVAL": "1s",
    }


class Plane:
    """A control plane that is killed and started again, as its proxies know it."""

    def __init__(self, daemon: Daemon, port: int) -> None:
        self.daemon, self.port = daemon, port
        self.killed: list[int] = []  # when, in nanoseconds
        self._authority = b""

    def kill(self) -> None:
        self.killed.append(time.monotonic_ns())
        self.daemon.stop(signal.SIGKILL)

    def killed_since(self, then: int) -> int | None:
        """When it was first killed after `then`, if it was."""
        return next((moment for moment in self.killed if moment > then), None)

    def certificate(self) -> bytes:
        if not self._authority:
            self._authority = certificate(self.port)
        return self._authority


class StormProxy(threading.Thread):
    """One proxy. `spans` is when it was configured, in nanoseconds; `faults` what must not be."""

    def __init__(self, name: str, planes: Sequence[Plane], credential: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self._planes, self._credential = planes, credential
        self._random = random.Random(seed)
        self._over = threading.Event()
        self.spans: list[tuple[int, int]] = []
        self.faults: list[str] = []
        self.ends: Counter[str] = Counter()

    def stop(self) -> None:
        self._over.set()

    def run(self) -> None:
        while not self._over.is_set():
            plane = self._random.choice(self._planes)
            try:
                self._visit(plane)
            except (OSError, ssl.SSLError):
                self.ends["no connection"] += 1
            self._over.wait(self._random.uniform(0, RETRY_SECONDS_MAX))

    def _visit(self, plane: Plane) -> None:
        credentials = grpc.ssl_channel_credentials(plane.certificate())
        options = [("grpc.ssl_target_name_override", "localhost")]
        with grpc.secure_channel(f"127.0.0.1:{plane.port}", credentials, options) as channel:
            said: SimpleQueue[bytes | None] = SimpleQueue()
            said.put(first_request(self.name))
            call = channel.stream_stream(STATE_OF_THE_WORLD, None, None)(
                iter(said.get, None),
                metadata=(("authorization", self._credential),),
                timeout=HANG_SECONDS,
            )
            self._hear(plane, call, said)
            said.put(None)

    def _hear(
        self,
        plane: Plane,
        call: Iterator[bytes],
        said: SimpleQueue[bytes | None],
    ) -> None:
        called, began, ended = time.monotonic_ns(), 0, 0

        def is_over() -> bool:
            return bool(ended) or plane.killed_since(called) is not None

        def hang_up() -> None:
            nonlocal ended
            ended = time.monotonic_ns()
            call.cancel()  # type: ignore[attr-defined]

        timer = threading.Timer(self._random.uniform(0, HOLD_SECONDS_MAX), hang_up)
        try:
            for message in call:
                if not began:
                    began = time.monotonic_ns()
                    timer.start()
                    self._look(plane, is_over)
                said.put(acknowledgement(message))
        except grpc.RpcError:
            self._note_end(call.code())  # type: ignore[attr-defined]
        finally:
            timer.cancel()
        if began:
            lost = plane.killed_since(called) or time.monotonic_ns()
            self.spans.append((began, max(began, min(ended or lost, lost))))

    def _note_end(self, code: grpc.StatusCode) -> None:
        self.ends[code.name] += 1
        if code not in EXPECTED | {grpc.StatusCode.CANCELLED}:
            self.faults.append(f"{self.name}: a stream ended with {code.name}")

    def _look(self, plane: Plane, is_over: Callable[[], bool]) -> None:
        """A proxy that is configured has its Dataplane in the store."""
        try:
            status = plane.daemon.api("GET", f"/meshes/default/dataplanes/{self.name}").status
        except OSError:
            return  # killed
        if status == 404 and not is_over():
            self.faults.append(f"{self.name}: is configured and has no Dataplane")


class ProxyStorm:
    """Proxies at control planes that share a store; the caller kills the control planes."""

    def __init__(self, planes: Sequence[Plane], seed: int) -> None:
        self._planes = planes
        credential = token(planes[0].daemon)
        self.proxies = [
            StormProxy(f"storm-{number}", planes, credential, seed + number)
            for number in range(PROXIES)
        ]

    @contextlib.contextmanager
    def raging(self) -> Iterator[None]:
        for proxy in self.proxies:
            proxy.start()
        try:
            yield
        finally:
            for proxy in self.proxies:
                proxy.stop()
            for proxy in self.proxies:
                proxy.join(HANG_SECONDS)

    def change(self, number: int) -> None:
        """Something that all proxies have to be told."""
        policy = {
            "type": "MeshTimeout",
            "mesh": "default",
            "name": "storm",
            "spec": {
                "targetRef": {"kind": "Mesh"},
                "to": [
                    {
                        "targetRef": {"kind": "Mesh"},
                        "default": {"connectionTimeout": f"{number % 50 + 1}s"},
                    }
                ],
            },
        }
        with contextlib.suppress(OSError):
            self._planes[number % len(self._planes)].daemon.api(
                "PUT",
                "/meshes/default/meshtimeouts/storm",
                {"Content-Type": "application/json"},
                json.dumps(policy).encode(),
            )

    @property
    def visits(self) -> int:
        return sum(len(each.spans) for each in self.proxies)

    def faults(self) -> list[str]:
        """What must not have happened so far."""
        found = [fault for each in self.proxies for fault in each.faults]
        most = most_at_once([span for each in self.proxies for span in merged(each.spans)])
        if most > LIMIT:
            found.append(f"{most} proxies were configured at once, and {LIMIT} may be")
        return found

    def wait_for_calm(self) -> None:
        """Return when nothing shows the proxies any more. Fails where something stays."""
        for plane in self._planes:
            eventually("no seat is held", lambda p=plane: _active(p.daemon) == 0)
            eventually("no seat is kept", lambda p=plane: _reserved(p.daemon) == 0)
        daemon = self._planes[0].daemon
        path = "/meshes/default/dataplanes"
        eventually("no Dataplane is left", lambda: daemon.api("GET", path).json["total"] == 0)


def rage(planes: Sequence[Plane], kills: int, seed: int) -> Counter[str]:
    """Kill one of `planes` at a random moment, again and again. How the streams have ended.

    Fails where something was doubled, lost or left behind.
    """
    storm, chance = ProxyStorm(planes, seed), random.Random(seed)
    with storm.raging():
        eventually("proxies join", lambda: storm.visits > 2 * LIMIT)
        for number in range(kills):
            time.sleep(chance.uniform(0, CALM_SECONDS_MAX))
            storm.change(number)
            plane = chance.choice(planes)
            plane.kill()
            plane.daemon.start()
            seen = storm.visits
            eventually("proxies come back", lambda seen=seen: storm.visits > seen)
            assert not storm.faults(), storm.faults()
    storm.wait_for_calm()
    assert not storm.faults(), storm.faults()
    return sum((each.ends for each in storm.proxies), Counter[str]())


def all_may_come_back(planes: Sequence[Plane], seed: int) -> None:
    """A seat that had leaked would keep one of them out."""
    storm = ProxyStorm(planes, seed)
    del storm.proxies[LIMIT:]
    with storm.raging():
        eventually("all are served", lambda: all(len(each.spans) > 1 for each in storm.proxies))
    assert all("RESOURCE_EXHAUSTED" not in each.ends for each in storm.proxies)


def _active(daemon: Daemon) -> object:
    return daemon.api("GET", "/license").json["activeDataplaneProxies"]


def _reserved(daemon: Daemon) -> float:
    return daemon.metric("kong_mesh_seats_reserved")
