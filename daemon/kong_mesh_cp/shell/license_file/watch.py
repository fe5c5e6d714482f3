"""Notices that a license file changed, however it was changed."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.shell.license_file.read import read_license_file

if TYPE_CHECKING:
    import watchfiles
    from watchfiles import _rust_notify
else:
    watchfiles = lazy_import("watchfiles")
    _rust_notify = lazy_import("watchfiles._rust_notify")

log = logging.getLogger(__name__)

RECHECK_SECONDS = 5  # how long a change may stay unnoticed that the kernel does not report
SETTLE_SECONDS = 0.2  # changes closer together count as one; cancellation takes at most this
SETTLE_SECONDS_MAX = 0.5  # a folder that is never quiet is looked at this often
REARM_SECONDS_MIN = 0.5
REARM_SECONDS_MAX = 60
SYMLINKS_MAX = 40  # as the kernel, path_resolution(7)

Notices = Callable[[Sequence[Path], Callable[[], None]], Awaitable[None]]
"""`await notices(folders, hint)`: call `hint` once armed and after each change, until cancelled.

Raises: OSError if the folders cannot be watched (any more).
"""


async def watch(
    paths: Sequence[Path],
    changed: Callable[[], Awaitable[None]],
    *,
    notices: Notices | None = None,
) -> NoReturn:
    """Await `changed` after each change of what reading `paths` gives, until cancelled.

    It is also awaited once at the beginning: what changed before that was not seen. Seen are
    content, mode and owner, appearance and disappearance, whether by rename, in place or through
    any symbolic link on the way. Contract: within a second where the kernel reports it, else
    within RECHECK_SECONDS (network file systems, unmounts, exhausted inotify limits).
    Resource handling: owns its inotify descriptor and one thread; ends both on cancellation.
    """
    if not paths:
        await trio.sleep_forever()
    files = [path.absolute() for path in paths]
    arm = _Arming(notices or _inotify)
    known: tuple[str, ...] | None = None
    while True:
        sight = await _look(files)
        async with trio.open_nursery() as nursery:
            hints = _Hints()
            nursery.start_soon(arm.keep_watching, [f.path for f in sight.folders], hints)
            while True:
                with trio.move_on_after(RECHECK_SECONDS):
                    await hints.next()
                folders, sight = sight.folders, await _look(files)
                if sight.contents != known:
                    known = sight.contents
                    await changed()
                if sight.folders != folders:
                    break
            nursery.cancel_scope.cancel()


class _Hints:
    """Something may have changed. Any number of hints before the next look are one."""

    def __init__(self) -> None:
        self._pending = trio.Event()

    def give(self) -> None:
        self._pending.set()

    async def next(self) -> None:
        await self._pending.wait()
        self._pending = trio.Event()


class _Arming:
    """Keeps a watch alive over its failures; says once that it is deaf and once that it hears."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._deaf = False
        self._pause_seconds: float = REARM_SECONDS_MIN

    async def keep_watching(self, folders: Sequence[Path], hints: _Hints) -> NoReturn:
        def hint() -> None:
            self._hears(folders)
            hints.give()

        while True:
            try:
                await self._notices(folders, hint)
            except OSError as error:
                self._fails(folders, error)
            hints.give()  # perhaps a folder went away: look, and watch what is there now
            await trio.sleep(self._pause_seconds)
            self._pause_seconds = min(2 * self._pause_seconds, REARM_SECONDS_MAX)

    def _hears(self, folders: Sequence[Path]) -> None:
        self._pause_seconds = REARM_SECONDS_MIN
        if self._deaf:
            self._deaf = False
            log.info("license-watch-restored: changes in %s are seen again", _names(folders))

    def _fails(self, folders: Sequence[Path], error: OSError) -> None:
        if isinstance(error, FileNotFoundError) or self._deaf:
            return
        self._deaf = True
        log.warning(
            "license-watch-degraded: the kernel reports no changes in %s (%s); "
            "they are noticed within %d seconds instead. "
            "Where limits are the reason: sysctl fs.inotify",
            _names(folders),
            printable(str(error)),
            RECHECK_SECONDS,
        )


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(printable(folder) for folder in folders)


async def _inotify(folders: Sequence[Path], hint: Callable[[], None]) -> None:
    # Imported here: it brings anyio along, 43 ms that are not needed before the sockets serve.
    # The backend itself is used, not awatch(): it says when it is armed, logs nothing, and no
    # environment variable turns it into polling.
    stop = threading.Event()
    names = [str(folder) for folder in folders]

    def wait() -> bool:
        """Whether something changed. Raises: OSError; a folder that is gone is silent."""
        try:
            outcome = notify.watch(
                round(SETTLE_SECONDS_MAX * 1000),
                round(SETTLE_SECONDS * 1000),
                RECHECK_SECONDS * 1000,
                stop,
            )
        except _rust_notify.WatchfilesRustInternalError as error:
            raise OSError(str(error)) from error
        if not isinstance(outcome, set):
            return False
        # Made again at once it may have the same inode number: only this event tells.
        if any(change == watchfiles.Change.deleted and path in names for change, path in outcome):
            raise FileNotFoundError("a watched folder was removed")
        return True

    try:
        notify = _rust_notify.RustNotify(names, False, False, 0, False, False)
    except _rust_notify.WatchfilesRustInternalError as error:  # such as: too many open files
        raise OSError(str(error)) from error
    with notify:
        hint()
        await _relay(wait, stop, hint)


async def _relay(
    wait: Callable[[], bool], stop: threading.Event, hint: Callable[[], None]
) -> NoReturn:
    failure: OSError | None = None
    limiter = trio.CapacityLimiter(1)
    async with trio.open_nursery() as nursery:
        # A thread cannot be cancelled: without this, cancellation waits for its timeout.
        nursery.start_soon(_set_when_cancelled, stop)
        while failure is None:
            try:
                if await trio.to_thread.run_sync(wait, limiter=limiter):
                    hint()
            except OSError as error:
                failure = error
        nursery.cancel_scope.cancel()
    assert failure is not None  # noqa: S101 — the loop above ends no other way
    raise failure


async def _set_when_cancelled(stop: threading.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        stop.set()


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to watch. Removed and made again, it is another one."""

    path: Path
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class _Sight:
    contents: tuple[str, ...]
    folders: tuple[_Folder, ...]


async def _look(files: Sequence[Path]) -> _Sight:
    # In a thread that may be left behind: a dead NFS server must not stop the event loop.
    return await trio.to_thread.run_sync(_sight, files, abandon_on_cancel=True)


def _sight(files: Sequence[Path]) -> _Sight:
    folders: dict[Path, _Folder] = {}
    for file in files:
        for folder in folders_on_the_way(file):
            try:
                status = folder.stat()
            except OSError:
                continue
            folders[folder] = _Folder(folder, status.st_dev, status.st_ino)
    return _Sight(tuple(_fingerprint(file) for file in files), tuple(folders.values()))


def _fingerprint(file: Path) -> str:
    """What reading the file gives: a new one exactly when a reload could come out differently."""
    try:
        content = read_license_file(file, source=str(file))
    except LicenseRejectedError as error:
        return error.line
    return " ".join([hashlib.sha256(content.document).hexdigest(), *content.remarks])


def folders_on_the_way(path: Path) -> tuple[Path, ...]:
    """The folders whose entries decide which file `path` opens, without repetition.

    One for each symbolic link met (in the middle of the path, too: Kubernetes swaps `..data`),
    and the one that holds the file. Where a step is missing: the folder in which it would appear.
    """
    found: dict[Path, None] = {}
    pending = list(reversed(path.absolute().parts[1:]))
    here, links = Path("/"), 0
    while pending:
        name = pending.pop()
        if name == "..":
            here = here.parent
            continue
        try:
            target = (here / name).readlink()
        except OSError:
            if not pending or not (here / name).exists():
                found[here] = None
                break
            here /= name
            continue
        found[here] = None
        links += 1
        if links > SYMLINKS_MAX:
            break
        steps = target.parts
        if target.is_absolute():
            here, steps = Path("/"), steps[1:]
        pending.extend(reversed(steps))
    return tuple(found)
