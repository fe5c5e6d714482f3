"""The server behind Envoy's listener for Prometheus, on a Unix socket.

Source: docs/wire/beside-envoy.md#metrics
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.durations import SECOND
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.xds.bootstrap.socket_paths import (
    metrics_configuration_socket,
    metrics_socket,
)
from kong_mesh_cp.shell.host.clocks import wall_clock
from kong_mesh_cp.shell.http.plain_text import plain_text_error
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kuma_dp.fetching import FetchError, Wanted, fetch
from kuma_dp.metrics.exporting import Exporting
from kuma_dp.metrics.gathering import Gathering, Sources
from kuma_dp.metrics.mesh_metric import (
    Application,
    MalformedDocumentError,
    MeshMetric,
    read_mesh_metric,
)
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 16  # of Envoy, which asks once for each scraper
BACKLOG: Final = 16
DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
DOCUMENT_SECONDS_MAX: Final = 5.0
REFRESH_SECONDS_MIN: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Of whom metrics are gathered, and how they are labelled."""

    workdir: str  # as in the bootstrap request: where the sockets are
    mesh: str
    name: str
    service: str  # node.cluster of the bootstrap
    address: str  # kumaSidecarConfiguration.networking.address
    envoy_port: int  # of the admin interface; 0: it has none
    envoy_host: str = "127.0.0.1"
    applications: tuple[Application, ...] = ()  # kumaSidecarConfiguration.metrics.aggregate
    redirected: bool = False  # kumaSidecarConfiguration.networking.isUsingTransparentProxy
    refresh_seconds: float = 10.0  # KUMA_DATAPLANE_RUNTIME_DYNAMIC_CONFIGURATION_REFRESH_INTERVAL


async def serve(
    settings: MetricsSettings, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer until cancelled, and follow what a MeshMetric says. Started when the socket is there.

    Raises: ListenError (`socket-taken`, `socket-unusable`). Nothing that an application, Envoy or
    a scraper does ends it.
    """
    path = Path(metrics_socket(settings.workdir, settings.name, settings.mesh))
    sources = Sources(
        mesh=settings.mesh,
        name=settings.name,
        service=settings.service,
        address=settings.address,
        envoy=(settings.envoy_host, settings.envoy_port),
        applications=settings.applications,
        redirected=settings.redirected,
    )
    gathering = Gathering(sources)
    with _listening(path) as listener:
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    serve_http,
                    listener,
                    gathering.answer,
                    limits=Limits(connections_max=CONNECTIONS_MAX),
                    error_body=plain_text_error,
                    wall_clock=wall_clock,
                    conversations=nursery,
                    drain=Drain(),
                    privileged=lambda _: True,  # nobody else can open the socket
                )
            )
            following = _Following(
                Path(metrics_configuration_socket(settings.workdir)),
                max(settings.refresh_seconds, REFRESH_SECONDS_MIN),
                gathering,
                Exporting(nursery, gathering.exported, settings.service, _nanoseconds),
            )
            nursery.start_soon(following.run)
            log.info("metrics-serving: metrics are gathered for whoever asks at %s", path)
            task_status.started()


def _nanoseconds() -> int:
    return int(wall_clock().timestamp() * SECOND)


@contextmanager
def _listening(path: Path) -> Iterator[trio.SocketListener]:
    """A socket of this user alone, in place of one that nobody listens at."""
    if _is_served(path):
        raise ListenError(
            f"another process serves metrics at {path}",
            code="socket-taken",
            hint="Is there a second kuma-dp of this name and mesh? Stop one of them.",
        )
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listener.setblocking(False)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(
            f"there can be no socket for metrics at {path}: {error.strerror or error}",
            code="socket-unusable",
            hint="Choose another directory (KUMA_DATAPLANE_RUNTIME_SOCKET_DIR).",
        ) from error
    with listener:
        try:
            yield trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        finally:
            path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False  # nobody does; what else is wrong is told when it is bound
    return True


class _Document:
    """The body, up to a bound."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed(self, data: bytes) -> None:
        if len(self.data) <= DOCUMENT_BYTES_MAX:
            self.data += data


class _Following:
    """Asks again and again what the MeshMetric of this proxy says: Envoy has it from the control
    plane.
    """

    def __init__(
        self, path: Path, seconds: float, gathering: Gathering, exporting: Exporting
    ) -> None:
        self._path = path
        self._seconds = seconds
        self._gathering = gathering
        self._exporting = exporting
        self._seldom = Seldom(log)

    async def run(self) -> None:
        while True:
            try:
                with trio.fail_after(DOCUMENT_SECONDS_MAX):
                    found = await self._ask()
            except (FetchError, MalformedDocumentError, trio.TooSlowError) as error:
                self._seldom.warn(
                    "document",
                    "metrics-configuration-unreadable: what the MeshMetric says cannot be read"
                    f" ({printable(str(error) or 'no answer')}); what it said before holds."
                    " Correct the MeshMetric if it says so; else look at Envoy's lines",
                )
            else:
                if found is not None and found != self._gathering.mesh_metric:
                    self._take(found)
            await trio.sleep(self._seconds)

    async def _ask(self) -> MeshMetric | None:
        """None: there has never been one. Raises: FetchError, MalformedDocumentError."""
        if not os.path.exists(self._path):  # noqa: PTH110, ASYNC240 (of a local file system)
            return None
        document = _Document()
        wanted = Wanted(
            connect=partial(trio.open_unix_socket, str(self._path)),
            authority="localhost",
            target="/meshmetric",
            headers={},
        )
        try:
            await fetch(wanted, lambda _: document)
        except FetchError as error:
            # The policy is gone, and Envoy leaves the file behind.
            if isinstance(error.__cause__, ConnectionRefusedError):
                return MeshMetric()
            raise
        return read_mesh_metric(bytes(document.data))

    def _take(self, found: MeshMetric) -> None:
        self._gathering.mesh_metric = found
        log.info(
            "metrics-configured: the MeshMetric names %d applications and Envoy's profile %s",
            len(found.applications),
            found.selection.widest,
        )
        for pattern in found.selection.refused():
            log.warning(
                "metrics-pattern-refused: the regular expression %s of the MeshMetric is not run:"
                " it may have no end, or is none. It selects nothing; use Prefix or Contains",
                printable(pattern[:100]),
            )
        self._exporting.follow(found.exporters)
