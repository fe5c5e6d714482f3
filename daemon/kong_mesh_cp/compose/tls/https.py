"""The certificates of servers with TLS: configured, found or made, and renewed while they serve."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

import trio

from kong_mesh_cp.compose.tls.tls_servers import PairFiles, TlsServer, api_server
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError, ControlPlaneError, StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host.certificates import (
    Pair,
    make_pair,
    names_in,
    read_authorities,
    read_certificates,
    require_certificates,
    server_context,
    term_of,
)
from kong_mesh_cp.shell.host.interfaces import names_of_this_machine
from kong_mesh_cp.shell.host.ownership import exposure
from kong_mesh_cp.shell.listening.tls import Tls
from kong_mesh_cp.shell.store.files import FILE_MODE, replace_file

CERTIFICATE_NAME = "kuma-cp.crt"  # in general.workDir, where Kuma keeps its own
KEY_NAME = "kuma-cp.key"
KEY_MODE = 0o600
RECHECK_SECONDS = 5.0  # until a renewed file is noticed without a reload

log = logging.getLogger(__name__)


@dataclass(slots=True)
class OwnPair:
    """What is made here where nothing is configured: one for all servers."""

    files: PairFiles | None  # None: it is to leave no trace
    in_memory: Pair | None = None  # then it is here
    making: trio.Lock = field(default_factory=trio.Lock)


@dataclass(frozen=True, slots=True)
class _Content:
    pair: Pair
    client_authorities: bytes | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the files held, fit to be shown to clients."""

    content: _Content
    context: ssl.SSLContext


class Https:
    """What a server with TLS shows to its clients and asks of them."""

    def __init__(
        self,
        settings: Settings,
        *,
        wall_clock: Callable[[], datetime],
        server: TlsServer | None = None,
        own: OwnPair | None = None,
        beside: Https | None = None,
    ) -> None:
        """Read what is there: nothing is made, and there is nothing to wait for.

        `own` is shared with `beside`, another server: of a pair that both have, that one tells the
        log. Raises: ConfigurationError about files that were configured, or made earlier.
        """
        self._server = server or api_server(settings)
        self._wall_clock = wall_clock
        self._configured = self._server.files(settings)
        self._made = own or own_pair(settings)
        self._own = self._made.files
        self._tells = beside is None or beside._configured != self._configured  # noqa: SLF001
        self._names: tuple[Pair, tuple[str, ...]] | None = None
        self._seen: tuple[object, ...] = ()
        self.refusal: ConfigurationError | None = None  # of a start, for what the files hold now
        self._in_force = self._judged()
        self._complaint = ""
        self._renewing = trio.Lock()

    def context(self) -> ssl.SSLContext:
        """For the next connection. Not before `provide`."""
        assert self._in_force is not None  # noqa: S101 — the listener serves after `provide`
        return self._in_force.context

    def chain(self) -> bytes:
        """The certificates in PEM, the server's own first. Not before `provide`."""
        assert self._in_force is not None  # noqa: S101 — as above
        return b"\n".join(each.strip() for each in self._in_force.content.pair.chain) + b"\n"

    def names(self) -> tuple[str, ...]:
        """The hosts and addresses that the certificate is for. Not before `provide`."""
        assert self._in_force is not None  # noqa: S101 — as above
        pair = self._in_force.content.pair
        if self._names is None or self._names[0] is not pair:
            self._names = (pair, names_in(pair.chain[0]))
        return self._names[1]

    async def provide(self) -> None:
        """Make a certificate if there is none. Raises: StateError if it cannot be kept."""
        async with self._made.making:
            if self._in_force is None:  # and another server may have made one meanwhile
                self._in_force = self._judged()
            if self._in_force is None:
                content = await trio.to_thread.run_sync(self._make)
                self._in_force = _Judged(content, self._put_into_force(content))
        if not self._tells:
            return
        pair = self._in_force.content.pair
        self._warn_of_exposure()
        unfit = await trio.to_thread.run_sync(self._unfit, pair)
        if unfit is not None:
            log.warning("%s: %s; clients refuse it. %s", unfit[0], unfit[1], pair.remedy)

    async def provide_for(self, listener: socket.socket, *, otherwise: str) -> Tls | None:
        """As `provide`, and what `listener` is to serve with.

        None: there is no certificate, and `listener` is closed. The log says why, and `otherwise`.
        """
        try:
            await self.provide()
        except ControlPlaneError as error:
            log.error("%s %s", error.line, otherwise)
            listener.close()
            return None
        return Tls(self.context)

    async def renew(self) -> None:
        """Take what the files hold now. Where that cannot be used, what was in force stays."""
        async with self._renewing:
            await self._renew()

    async def follow(self) -> None:
        """Renew, when a file looks other than before, until cancelled."""
        while True:
            await trio.sleep(RECHECK_SECONDS)
            # A mount that hangs holds up this thread, and nobody else.
            seen = await trio.to_thread.run_sync(self._sight, abandon_on_cancel=True)
            if seen != self._seen:
                await self.renew()

    async def _renew(self) -> None:
        try:
            judged = await trio.to_thread.run_sync(self._successor, abandon_on_cancel=True)
        except ConfigurationError as error:
            self._complain(error.line)
            return
        self._complaint = ""
        if judged is None:
            return
        self._in_force = judged
        if self._tells:
            log.info("tls-certificate-renewed: %s", judged.content.pair.source)
            self._warn_of_exposure()

    def _complain(self, line: str) -> None:
        if line != self._complaint and self._tells:
            log.error("%s The certificate of before stays in force.", line)
        self._complaint = line

    def _successor(self) -> _Judged | None:
        """What is to take the place of what is in force; None: nothing. Raises as `_judged`."""
        before = self._in_force
        try:
            judged = self._judged()
        except ConfigurationError as error:
            self.refusal = error
            raise
        self.refusal = None
        assert before is not None  # noqa: S101 — renewed is what `provide` has provided
        if judged is None:
            raise _gone(self._own, self._server.says)
        if judged.content == before.content:
            return None
        unfit = self._unfit(judged.content.pair)
        if unfit is not None and self._unfit(before.content.pair) is None:
            raise ConfigurationError(unfit[1], code=unfit[0], hint=judged.content.pair.remedy)
        return judged

    def _judged(self) -> _Judged | None:
        """What the files hold now; None: nothing has been made yet. Raises: ConfigurationError."""
        self._seen = self._sight()  # before it is read: what changes meanwhile is seen next time
        authorities = self._authorities()
        if authorities is not None:
            require_certificates(authorities)  # also where there is no pair to use them with yet
        files = self._configured
        if files is None and self._own is not None:
            made = _holds(self._own.certificate) and _holds(self._own.key)
            files = self._own if made else None
        pair = self._made.in_memory if files is None else files.read()
        if pair is None:
            return None
        content = _Content(pair, authorities)
        return _Judged(content, self._put_into_force(content))

    def _sight(self) -> tuple[object, ...]:
        """How the files look: other whenever reading them could come out differently."""
        files = self._configured or self._own
        paths = [] if files is None else [files.certificate, files.key]
        if self._server.authorities_file is not None:
            paths.append(self._server.authorities_file)
        folder = self._server.authorities_folder
        if folder is not None:
            paths.append(folder)
            with suppress(OSError):
                paths += sorted(folder.iterdir())
        return tuple((path, _look_of(path)) for path in paths)

    def _authorities(self) -> bytes | None:
        """Certificates in PEM of which clients' ones have to be; None: clients are not asked."""
        server = self._server
        parts: list[bytes] = []
        if server.authorities_file is not None:
            source = f"{server.section}.tlsCaFile"
            parts += read_authorities(server.authorities_file, setting=source)
        if server.authorities_folder is not None:
            parts += read_certificates(
                server.authorities_folder, setting="apiServer.auth.clientCertsDir"
            )
        elif not parts:
            return None
        return b"\n".join(parts)

    def _make(self) -> _Content:
        names, now = names_of_this_machine(), self._wall_clock()
        pair = make_pair(names, now=now, source="the certificate made here", remedy="Start again.")
        if self._own is not None:
            try:
                # The key first: a certificate alone is made anew, with another key.
                replace_file(self._own.key, pair.key, mode=KEY_MODE)
                replace_file(self._own.certificate, pair.chain[0], mode=FILE_MODE)
            except OSError as error:
                raise StateError(
                    f"the certificate cannot be kept in {printable(self._own.key.parent)}: "
                    f"{error.strerror}",
                    code="tls-certificate-not-kept",
                    hint="Give the directory room and to the user of the daemon, or set "
                    f"{self._server.section}.tlsCertFile and tlsKeyFile.",
                ) from None
            pair = self._own.read()
        else:
            self._made.in_memory = pair
        log.info("tls-certificate-made: for %s", ", ".join(names))
        return _Content(pair, self._authorities())

    def _put_into_force(self, content: _Content) -> ssl.SSLContext:
        terms = replace(self._server.terms, client_authorities=content.client_authorities)
        return server_context(content.pair, terms)

    def _warn_of_exposure(self) -> None:
        files = self._configured or self._own
        exposed = None if files is None else exposure(files.key)
        if exposed is not None:
            log.warning("tls-key-exposed: the key of %s in %s", self._server.says, exposed)

    def _unfit(self, pair: Pair) -> tuple[str, str] | None:
        """Why no client takes the certificate now, with its code; None: not for its term."""
        term = term_of(pair.chain[0])
        if term is None:
            return None
        begin, end = term
        if end <= self._wall_clock():
            message = f"the certificate of {pair.source} ended at {instant(end)}"
            return "tls-certificate-expired", message
        if begin > self._wall_clock():
            message = f"the certificate of {pair.source} begins at {instant(begin)}"
            return "tls-certificate-not-yet-valid", message
        return None


def own_pair(settings: Settings) -> OwnPair:
    if settings.store.type == "memory":  # nothing is to outlive the process
        return OwnPair(None)
    folder = settings.general.work_dir
    return OwnPair(
        PairFiles(
            folder / CERTIFICATE_NAME,
            folder / KEY_NAME,
            "kept in general.workDir",
            "kept in general.workDir",
            "Remove both files: a new pair is made at the next start.",
        )
    )


def _holds(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _look_of(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size, *times


def _gone(own: PairFiles | None, says: str) -> ConfigurationError:
    where = f"of {says}" if own is None else f"{printable(own.certificate)} or {printable(own.key)}"
    return ConfigurationError(
        f"the certificate or the key, {where}, is gone or empty",
        code="tls-certificate-gone",
        hint="Put both back: the next start makes another certificate, which clients do not trust "
        "yet.",
    )
