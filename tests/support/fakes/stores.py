"""Facts to store, and the three ways to keep them that share one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId, SeatRecord
from kong_mesh_cp.core.license.clock import ClockMark
from kong_mesh_cp.shell.store.copied_state import CopiedState
from kong_mesh_cp.shell.store.sqlite.copies import Copies
from kong_mesh_cp.shell.store.sqlite.store import SqliteStore, open_store
from kong_mesh_cp.usecases.ports.state_store import AuditEntry, StateStore
from support.fakes.fake_store import FakeStateStore

AT = datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC)


def seat(name: str, *, mesh: str = "default", zone: str = "") -> SeatId:
    return SeatId(zone, mesh, name)


def record(
    name: str, *, kind: ProxyKind = ProxyKind.SIDECAR, since: datetime = AT, mesh: str = "default"
) -> SeatRecord:
    return SeatRecord(seat(name, mesh=mesh), kind, since)


def taken(*names: str) -> dict[SeatId, SeatRecord | None]:
    """Changes that take a seat for each of `names`."""
    return {seat(name): record(name) for name in names}


def names_of(seats: tuple[SeatRecord, ...]) -> list[str]:
    return [one.seat.name for one in seats]


def mark(seen: datetime = AT, *, boot_id: str = "boot-1", boottime: float = 1234.5) -> ClockMark:
    return ClockMark(
        seen=seen,
        boot_id=boot_id,
        boottime_seconds=boottime,
        ahead_seconds=0.1 + 0.2,  # has no short decimal form: must come back bit by bit
        lead_seconds=3.0,
    )


def entry(action: str, *, at: datetime = AT) -> AuditEntry:
    return AuditEntry(at, "root", action, "the battery of the clock was empty\n")


def later(days: float) -> datetime:
    return AT + timedelta(days=days)


async def audit_of(store: StateStore) -> tuple[AuditEntry, ...]:
    """The port only appends; each implementation has its own way to look."""
    match store:
        case FakeStateStore():
            return tuple(store.entries)
        case SqliteStore():
            return await store.audit_entries()
        case CopiedState():
            return await audit_of(store._state)
        case _:
            from kong_mesh_cp.shell.store.postgres.store import PostgresStore

            assert isinstance(store, PostgresStore)
            return await store.audit_entries()


@asynccontextmanager
async def _copied(directory: Path) -> AsyncIterator[StateStore]:
    yield CopiedState(FakeStateStore(), Copies(directory))


StoreOpening = Callable[[], AbstractAsyncContextManager[StateStore]]


@asynccontextmanager
async def _fake() -> AsyncIterator[StateStore]:
    yield FakeStateStore()


def store_openings(directory: Path) -> Mapping[str, StoreOpening]:
    """Every implementation of the port, by name; a name's store lives in `directory`, if in any."""
    return {
        "fake": _fake,
        "copied": lambda: _copied(directory),
        "sqlite-memory": lambda: open_store(None),
        "sqlite-file": lambda: open_store(directory / "store.db"),
    }


STORE_NAMES = tuple(store_openings(Path()))

Step = Callable[[StateStore], Awaitable[object]]
