"""A `LicenseHolder` with sources, clocks and a log that the test holds in its hands.

world = World(license_document(dataplanes=5), now="2026-11-21")
licensing = world.start()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.sources import SourceKind, SourceReading
from kong_mesh_cp.usecases.license.holder import LicenseHolder
from kong_mesh_cp.usecases.ports.state_store import Remembered
from support.licenses.licenses import KEYRING

LICENSE_PATH = "/etc/kong-mesh/license.json"


def instant(text: str) -> datetime:
    """`2026-11-21` or `2026-11-21T10:00:00`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reading(
    document: bytes | None,
    kind: SourceKind = SourceKind.PATH,
    *,
    path: str = LICENSE_PATH,
    error: LicenseRejectedError | None = None,
    remarks: tuple[str, ...] = (),
) -> SourceReading:
    named = None if kind in (SourceKind.INLINE, SourceKind.CONFIG_INLINE) else path
    return SourceReading(kind=kind, path=named, document=document, error=error, remarks=remarks)


def unreadable() -> LicenseRejectedError:
    return LicenseRejectedError(
        Fault.UNREADABLE, f"{LICENSE_PATH} cannot be read", hint="Run: chmod g+r"
    )


class FakeSources:
    """The port LicenseSources over a list."""

    def __init__(self, readings: Sequence[SourceReading]) -> None:
        self.readings = list(readings)
        self.reads = 0

    def read(self) -> Sequence[SourceReading]:
        self.reads += 1
        return tuple(self.readings)


@dataclass
class World:
    """Everything around a Licensing. `document` is what KMESH_LICENSE_PATH names, if anything."""

    document: bytes | None = None
    now: str = "2026-11-21"
    remembered: Remembered = field(default_factory=lambda: Remembered(high_water={}))
    keyring: Keyring = KEYRING
    keyring_override: bool = False
    boot_id: str = "boot-1"

    def __post_init__(self) -> None:
        self.sources = FakeSources([] if self.document is None else [reading(self.document)])
        self.wall = instant(self.now)
        self.boottime_seconds = 1000.0
        self.events: list[Mapping[str, object]] = []

    def start(self) -> LicenseHolder:
        return LicenseHolder(
            sources=self.sources,
            keyring=self.keyring,
            keyring_override=self.keyring_override,
            wall=lambda: self.wall,
            boottime=lambda: self.boottime_seconds,
            boot_id=self.boot_id,
            remembered=self.remembered,
            announce=self.events.append,
        )

    def put(self, document: bytes | None) -> None:
        """Replace what the sources hold; None removes it."""
        self.sources.readings = [] if document is None else [reading(document)]

    def passes(self, span: timedelta) -> None:
        """Real time passes: both clocks agree."""
        self.wall += span
        self.boottime_seconds += span.total_seconds()

    def live_through(
        self, licensing: LicenseHolder, span: timedelta, *, step: timedelta, active: int = 0
    ) -> None:
        """Let `span` pass with a tick each `step`."""
        for _ in range(span // step):
            self.passes(step)
            licensing.tick(active)
            if licensing.restart_check_due:
                licensing.restart_safe()
