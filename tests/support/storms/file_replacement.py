"""Takes files away from a daemon that is at work, and judges what it says, promises and keeps."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from support.daemons.daemon import Daemon, eventually
from support.daemons.tls_peers import pair
from support.licenses.licenses import keyring_json, license_document

WRITERS: Final = 3
REACTION_SECONDS_MAX: Final = 10.0  # as the script wants it; a test waits as long as it takes
RULE: Final = {
    "targetRef": {"kind": "Mesh"},
    "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "3s"}}],
}

Kind = Callable[[Path, Path], None]
"""Takes the file at the first path away; what was there lies at the second one, if it may be put
back from there.
"""


def _aside(path: Path, aside: Path) -> None:
    path.rename(aside)


def _instead(put: Callable[[Path], object]) -> Kind:
    def replace(path: Path, aside: Path) -> None:
        path.rename(aside)
        put(path)

    return replace


def _copy(path: Path, aside: Path) -> None:
    path.rename(aside)
    shutil.copytree(aside, path) if aside.is_dir() else shutil.copy2(aside, path)


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _garbage(path: Path) -> None:
    path.write_bytes(random.Random(path.name).randbytes(5000))
    path.chmod(0o600)


def _dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))


def _emptied(path: Path, _: Path) -> None:
    os.truncate(path, 0)


def _cut(path: Path, _: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _written_over(path: Path, _: Path) -> None:
    path.write_bytes(b"junk" * 1000)


def _closed(path: Path, _: Path) -> None:
    path.chmod(0o000)


def _opened(path: Path, _: Path) -> None:
    path.chmod(0o777)


REPLACED: Final[dict[str, Kind]] = {  # what was there can be put back
    "moved": _aside,
    "empty": _instead(lambda path: path.touch(0o600)),
    "garbage": _instead(_garbage),
    "a directory": _instead(lambda path: path.mkdir(0o700)),
    "a link to nothing": _instead(lambda path: path.symlink_to("nowhere")),
    "a link to itself": _instead(lambda path: path.symlink_to(path)),
    "a pipe": _instead(_pipe),
    "a dead socket": _instead(_dead_socket),
    "a copy": _copy,
}
CHANGED: Final[dict[str, Kind]] = {  # it is the same file
    "emptied": _emptied,
    "cut": _cut,
    "written over": _written_over,
    "closed": _closed,
    "open to all": _opened,
}
SWAPPED: Final = "swapped"
SPOILING: Final = frozenset({"emptied", "cut", "written over"})

STORE: Final = ("store.db", "store.db-wal", "store.db-shm")
STATE: Final = (*STORE, "lock", "secret-key", "trial.json", "clock.json")
FILES: Final = (*STATE, "state", "socket", "server.crt", "server.key", "license.json")
SWAPS: Final = {"server.crt": "server.key", "server.key": "server.crt", "secret-key": "lock",
                "lock": "secret-key", "store.db": "store.db-wal", "trial.json": "clock.json"}  # fmt: skip


def kinds_of(file: str) -> tuple[str, ...]:
    """The ways in which `file` is taken away."""
    if file == "socket":
        return (*(kind for kind in REPLACED if kind != "a copy"), "closed")
    if file == "state":
        return tuple(REPLACED)
    changed = [kind for kind in CHANGED if (file, kind) != ("store.db-shm", "written over")]
    return (*REPLACED, *changed, *([SWAPPED] if file in SWAPS else []))


def every_round() -> list[tuple[str, str]]:
    return [(file, kind) for file in FILES for kind in kinds_of(file)]


def some_rounds(count: int, seed: int) -> list[tuple[str, str]]:
    """Each file about as often as the others."""
    chance = random.Random(seed)
    files = itertools.islice(itertools.cycle(FILES), count)
    return [(file, chance.choice(kinds_of(file))) for file in files]


@dataclass
class _Load:
    """Clients that write and join, and what they were promised."""

    daemon: Daemon
    promised: set[str] = field(default_factory=set)
    begun: dict[str, int] = field(default_factory=dict)
    moment: int = 0  # counted up by each event of a round
    _ended: threading.Event = field(default_factory=threading.Event)

    def write(self, name: str) -> bool:
        """A policy, and each fourth time a secret."""
        secret = name.endswith("0")
        kind, path = ("Secret", "secrets") if secret else ("MeshTimeout", "meshtimeouts")
        body = {"type": kind, "mesh": "default", "name": name}
        body.update({"data": "eA=="} if secret else {"spec": RULE})  # type: ignore[dict-item]
        place = f"/meshes/default/{path}/{name}"
        self.begun[place] = self.moment
        headers = {"Content-Type": "application/json"}
        with contextlib.suppress(OSError):
            answer = self.daemon.api("PUT", place, headers, json.dumps(body).encode())
            if answer.status in {200, 201}:
                self.promised.add(place)
                return True
            assert answer.status in {500, 503}, answer
        return False

    def _writer(self, prefix: str) -> None:
        for number in itertools.count():
            if self._ended.is_set():
                return
            self.write(f"{prefix}-{number}")
            if number % 5 == 0:
                with contextlib.suppress(OSError, ValueError), self.daemon.seat(f"{prefix}-seat"):
                    pass

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._writer, args=(f"{name}-{number}",))
            for number in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
            self._ended.clear()


class FileReplacement:
    """A daemon in `directory`, and rounds in each of which one of its files is taken away."""

    def __init__(self, directory: Path, *, patience_seconds: float, seed: int) -> None:
        self._directory = directory
        self._patience_seconds = patience_seconds
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._daemon: Daemon
        self._load: _Load
        self.slowest_seconds = 0.0  # until it was said
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _begin(self) -> None:
        """A daemon with nothing kept."""
        self._stack.close()
        folder = self._directory / str(next(self._numbers))
        folder.mkdir(parents=True)
        certificate, key = pair().write(folder)
        (folder / "keyring.json").write_bytes(keyring_json())
        (folder / "license.json").write_bytes(license_document(dataplanes=20))
        (folder / "license.json").chmod(0o600)
        environment = {
            "KMESH_LICENSE_PATH": os.fspath(folder / "license.json"),
            "KUMA_GENERAL_TLS_CERT_FILE": os.fspath(certificate),
            "KUMA_GENERAL_TLS_KEY_FILE": os.fspath(key),
        }
        flags = ("--license-keyring", os.fspath(folder / "keyring.json"))
        self._daemon = self._stack.enter_context(
            Daemon(folder, *flags, environment=environment)
        ).start()
        self._await_start()
        self._load = _Load(self._daemon)

    def _await_start(self) -> None:
        made = "/global-secrets/admin-user-token"
        eventually("what a start makes", lambda: self._daemon.api("GET", made).status == 200)

    def _path(self, file: str) -> Path:
        daemon = self._daemon
        if file == "socket":
            return daemon.socket
        if file == "state":
            return daemon.state
        return (daemon.state if file in STATE else daemon.directory) / file

    def round(self, file: str, kind: str) -> None:
        """Take `file` away at a random moment under load. Raises: AssertionError."""
        daemon, load = self._daemon, self._load
        path = self._path(file)
        aside = path.with_name(f"{path.name}.aside")
        content = path.read_bytes() if path.is_file() else b""
        mode = path.stat().st_mode & 0o777
        spoilt = kind in SPOILING and file in {"store.db", "store.db-wal"}
        with load.running(f"{file.replace('.', '-')}-{next(self._numbers)}"):
            time.sleep(self._chance.random() / 5)  # the random moment; nothing waits for it
            said = len(daemon.stderr)
            began = time.monotonic()
            self._take(file, kind, path, aside)
            load.moment += 1
            self._await_word(file, kind, path, said)
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            assert daemon.process is not None and daemon.process.poll() is None, daemon.stderr
        if spoilt:
            late = [p for p in load.promised if load.begun[p] == load.moment]
            assert not late, f"promised when {file} was {kind}: {late}"
            self._begin()
            return
        self._put_back(file, kind, path, aside, content=content, mode=mode)
        eventually("it is ready again", lambda: self._ready(f"after-{file}"))

    def compare(self) -> None:
        """Kill it, start it again, and look for all that was promised. Raises: AssertionError."""
        daemon, promised = self._daemon, self._load.promised
        daemon.stop(signal.SIGKILL)
        daemon.start()
        self._await_start()
        lost = [place for place in promised if daemon.api("GET", place).status != 200]
        assert not lost, f"lost: {lost}"
        promised.clear()

    def _take(self, file: str, kind: str, path: Path, aside: Path) -> None:
        if kind == SWAPPED:
            other = self._path(SWAPS[file])
            path.rename(aside)
            other.rename(path)
            aside.rename(other)
        else:
            {**REPLACED, **CHANGED}[kind](path, aside)

    def _await_word(self, file: str, kind: str, path: Path, said: int) -> None:
        """Wait until the daemon says it, where there is something to say."""
        if _is_harmless(file, kind):
            return
        names = {os.fspath(path), os.fspath(self._daemon.state if file in STATE else path)}

        def told() -> bool:
            return any(name in line for name in names for line in self._lines(said))

        eventually(f"{file} was {kind}: it is said", told, self._patience_seconds)

    def _lines(self, since: int) -> list[str]:
        return [
            line
            for line in self._daemon.stderr[since:].splitlines()
            if "audit-" not in line and "admission-" not in line.replace("admission-socket-", "")
        ]

    def _put_back(
        self, file: str, kind: str, path: Path, aside: Path, *, content: bytes, mode: int
    ) -> None:
        if file == "socket":  # which is made anew, but not over what is none
            if not path.is_socket():
                _remove(path)
            _remove(aside)
        elif kind == SWAPPED:
            self._take(file, kind, path, aside)
        elif kind in REPLACED:
            if file in {"trial.json", "clock.json"} and path.is_file():
                _remove(aside)
                return
            _remove(path)
            aside.rename(path)
        elif kind in SPOILING:
            if file != "store.db-shm":  # which is made anew
                path.write_bytes(content)
        else:
            path.chmod(mode)

    def _ready(self, name: str) -> bool:
        """Whether it says so, keeps what is written, and takes proxies."""
        if self._daemon.diagnostics("/ready").status != 200:
            return False
        try:
            with self._daemon.seat("after") as seat:
                joined = seat.admitted
        except OSError:
            return False
        return joined and self._load.write(f"{name.replace('.', '-')}-{next(self._numbers)}")


def _is_harmless(file: str, kind: str) -> bool:
    """Whether there is nothing to say: what counts is what it was."""
    if kind == "a copy" and file not in {*STORE, "state", "lock", "socket"}:
        return True
    if file in {"trial.json", "clock.json"}:  # written again and again, and read at a start
        return True
    if kind == "closed" and file not in STORE:  # root reads it all the same
        return file != "socket" and os.geteuid() == 0
    if file == "lock":
        return kind in CHANGED
    return kind == "open to all" and file in {"server.crt", "server.key"}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
