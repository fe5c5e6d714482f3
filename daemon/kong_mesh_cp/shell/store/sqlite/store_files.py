"""The three files of an open store, and whether they still hold what was written into them.

What may be relied on of their content is in the format of SQLite's files: <https://sqlite.org/fileformat2.html>
for the store and its log, <https://sqlite.org/walformat.html> for the index of the log.
"""

from __future__ import annotations

import logging
import os
import stat
import struct
import threading
from pathlib import Path
from typing import Final, NamedTuple

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.ownership import distrust
from kong_mesh_cp.shell.store.failures import store_corrupt

MAGIC: Final = b"SQLite format 3\0"
LOG: Final = "-wal"
INDEX: Final = "-shm"
LOG_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
INDEX_HEADER_BYTES: Final = 48  # there are two of them, and they agree while nobody writes
INDEX_PAGES_AT: Final = 136  # the number of the page in each frame, as the machine writes numbers
LOOKS_MAX: Final = 5  # another program may write the log back just now
PAGE_BYTES_LARGEST: Final = 65536  # which 16 bits write as 1

SPOILT: Final = "it was written over or cut by somebody else"
CUT: Final = "it was cut by somebody else"

_INDEX_HEADER: Final = struct.Struct("=3I2BH2I2I8s2I")
_NUMBER: Final = struct.Struct(">I")
_OWN_NUMBER: Final = struct.Struct("=I")
_CHECKSUM: Final = struct.Struct(">2I")
_OWNER_RIGHTS: Final = stat.S_IRUSR | stat.S_IWUSR


log = logging.getLogger(__name__)


class _Logged(NamedTuple):
    """What the index says of the log."""

    frames: int
    page_bytes: int
    checksum: tuple[int, int]  # of the last frame
    salt: bytes

    def frame_at(self, number: int) -> int:
        return LOG_HEADER_BYTES + (number - 1) * (FRAME_HEADER_BYTES + self.page_bytes)


class _Frame(NamedTuple):
    salt: bytes
    at: int
    head: bytes


class StoreFiles:
    """The files of the store in `path`, held open from just after they were opened by SQLite.

    Resource handling: `close` only when no connection of this process is open any more: closing a
    descriptor of a file ends every lock that the process has on it (fcntl(2)).
    """

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self.path = path
        self._paths = {name: f"{path}{name}" for name in ("", LOG, INDEX)}
        self._open: dict[str, int] = {}
        self._found: dict[str, tuple[int, int]] = {}
        flags = os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            for name, each in self._paths.items():
                access = os.O_RDWR if name == INDEX else os.O_RDONLY
                self._open[name] = os.open(each, flags | access)
                found = os.fstat(self._open[name])
                self._found[name] = found.st_dev, found.st_ino
        except OSError:
            self.close()
            raise
        self._owner = os.fstat(self._open[""]).st_uid
        self._index_bytes = 0  # the most that were seen
        self._spoilt = False
        self._store_bytes = 0  # the most that were seen: a store never gets smaller
        self._last: _Frame | None = None  # the last frame that was seen
        self._looking = threading.Lock()

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def keep_index_length(self) -> None:
        """Make the index as long as it was, if it was cut. Raises: OSError."""
        length = os.fstat(self._open[INDEX]).st_size
        if length < self._index_bytes:
            self._spoilt = True  # first of all: from then on threads go on that waited for it
            os.ftruncate(self._open[INDEX], self._index_bytes)
        else:
            self._index_bytes = length

    @property
    def index_is_spoilt(self) -> bool:
        """Whether pages in the log may not be found by it any more."""
        return self._spoilt

    def mend_index(self) -> None:
        """Let SQLite make a spoilt index anew, from the log, at its next transaction.

        To be called by the one who writes, outside of any transaction. Raises: OSError.
        """
        if not self._spoilt:
            return
        self.keep_index_length()
        os.pwrite(self._open[INDEX], bytes(2 * INDEX_HEADER_BYTES), 0)
        self._spoilt = False
        log.warning(
            "store-index-made-again: %s was written over or cut by somebody else; it is made of "
            "the log again, and nothing is lost. See that nobody writes files of a running daemon.",
            printable(self._paths[INDEX]),
        )

    def log_is_lost(self) -> bool:
        """Whether what is only in the log would be lost with this process."""
        return self._misplaced("") is None and self._misplaced(LOG) is not None

    def fault(self) -> StateError | None:
        """Why a change would not be found again, or may be lost already; None: all is well."""
        with self._looking:
            for name in self._paths:
                misplaced = self._misplaced(name)
                if misplaced is not None:
                    return misplaced
            return self._damage()

    def fault_before_commit(self) -> StateError | None:
        """What must not be added to: as `fault`, as far as a few microseconds go."""
        if self._spoilt or not self._is_in_place("") or not self._is_in_place(LOG):
            return self.fault()
        if os.pread(self._open[""], len(MAGIC), 0) != MAGIC:
            return self.fault()
        index = os.pread(self._open[INDEX], 2 * INDEX_HEADER_BYTES, 0)
        return self.fault() if _logged(index) is None else None

    def fault_after_commit(self) -> StateError | None:
        """Whether what was committed lies in the log that the next start will find."""
        if not self._is_in_place("") or not self._is_in_place(LOG):
            return self.fault()
        with self._looking:
            index = os.pread(self._open[INDEX], 2 * INDEX_HEADER_BYTES, 0)
            damaged = self._damage_of_log(index, thorough=False)
        return None if damaged is None and not self._spoilt else self.fault()

    def _is_in_place(self, name: str) -> bool:
        try:
            found = os.lstat(self._paths[name])
        except OSError:
            return False
        if found.st_mode & stat.S_IWOTH or (not name and found.st_size < self._store_bytes):
            return False
        return (found.st_dev, found.st_ino) == self._found[name]

    def _misplaced(self, name: str) -> StateError | None:
        path = self._paths[name]
        try:
            found = os.lstat(path)
        except OSError:
            return self._gone(path, "is not there any more")
        if (found.st_dev, found.st_ino) != self._found[name]:
            return self._gone(path, "is not the file any more that the daemon has opened")
        why = distrust(found, self._owner)
        if why is None and found.st_mode & _OWNER_RIGHTS != _OWNER_RIGHTS:
            why = "may not be read and written by its owner any more"
        if why is None:
            return None
        return StateError(
            f"{printable(path)} {why}",
            code="state-not-own",
            hint=f"Give it to the owner of the directory, and run: chmod 640 {printable(path)}",
        )

    def _gone(self, path: str, what: str) -> StateError:
        folder = self.path.parent
        if not folder.exists():
            path, what = str(folder), "is not there any more"
        return StateError(
            f"{printable(path)} {what}",
            code="store-gone",
            hint="Move back what was there. If another one was put there on purpose, take it over "
            "with a restart: systemctl restart kong-mesh-cp",
        )

    def _damage(self) -> StateError | None:
        size = os.fstat(self._open[""]).st_size
        if size < self._store_bytes or os.pread(self._open[""], len(MAGIC), 0) != MAGIC:
            return self._corrupt("", SPOILT)
        self._store_bytes = size
        self.keep_index_length()
        damaged = None
        for _ in range(LOOKS_MAX):
            index = os.pread(self._open[INDEX], 2 * INDEX_HEADER_BYTES, 0)
            damaged = self._damage_of_log(index)
            if damaged is None or index == os.pread(self._open[INDEX], 2 * INDEX_HEADER_BYTES, 0):
                break
        if damaged is None and self._spoilt:
            damaged = INDEX, SPOILT
        return None if damaged is None else self._corrupt(*damaged)

    def _damage_of_log(self, index: bytes, *, thorough: bool = True) -> tuple[str, str] | None:
        """Which file is damaged, and how. As far as `index` was whole when it was read."""
        logged = _logged(index)
        if logged is None:
            return INDEX, SPOILT
        if not logged.frames:  # all of the log is in the store
            self._last = None
            return None
        content, at = self._open[LOG], logged.frame_at(logged.frames)
        if os.fstat(content).st_size < at + FRAME_HEADER_BYTES + logged.page_bytes:
            return LOG, CUT
        frame = _Frame(logged.salt, at, os.pread(content, FRAME_HEADER_BYTES, at))
        whole = (
            os.pread(content, LOG_HEADER_BYTES, 0)[16:24] == logged.salt
            and frame.head[8:16] == logged.salt
            and _CHECKSUM.unpack(frame.head[16:24]) == logged.checksum
        )
        last = self._last
        if whole and last is not None and last.salt == logged.salt and last.at < at:
            # Cut and written on, it has a hole where this one was.
            whole = os.pread(content, FRAME_HEADER_BYTES, last.at) == last.head
        if not whole:
            # Cut and written on, it begins with a hole.
            is_hole = not any(os.pread(content, LOG_HEADER_BYTES, 0))
            return LOG, CUT if is_hole else "it was written over by somebody else"
        self._last = frame
        if thorough and os.pread(self._open[INDEX], 4, INDEX_PAGES_AT) != _first_page(content):
            self._spoilt = True
        return None

    def _corrupt(self, name: str, how: str) -> StateError:
        path = printable(self._paths[name])
        if not name:
            return store_corrupt(path, how)
        return StateError(
            f"{path} is damaged: {how}",
            code="store-corrupt",
            hint="Restart: systemctl restart kong-mesh-cp. The last changes may be lost; compare "
            "what is there with a backup.",
        )


def _first_page(content: int) -> bytes:
    """The number of the page in the first frame, as the index has it."""
    (number,) = _NUMBER.unpack(os.pread(content, 4, LOG_HEADER_BYTES))
    return _OWN_NUMBER.pack(number)


def _logged(index: bytes) -> _Logged | None:
    """What both headers of the index say; None: it is none."""
    if len(index) < 2 * INDEX_HEADER_BYTES:
        return None
    header = _INDEX_HEADER.unpack(index[:INDEX_HEADER_BYTES])
    version, _, _, made, _, page, frames, _, first, second, salt, *_ = header
    if not version or not made or index[:INDEX_HEADER_BYTES] != index[INDEX_HEADER_BYTES:]:
        return None
    page_bytes = PAGE_BYTES_LARGEST if page == 1 else page
    return _Logged(frames, page_bytes, (first, second), salt)
