"""The certificate of the HTTPS listener: configured, found or made, and renewed while it serves."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError, StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.shell.host.certificates import (
    Pair,
    Terms,
    ends_at,
    make_pair,
    read_certificates,
    read_pem,
    require_certificates,
    server_context,
)
from kong_mesh_cp.shell.host.interfaces import names_of_this_machine
from kong_mesh_cp.shell.host.ownership import exposure
from kong_mesh_cp.shell.store.files import FILE_MODE, replace_file

CERTIFICATE_NAME = "kuma-cp.crt"  # in general.workDir, where Kuma keeps its own
KEY_NAME = "kuma-cp.key"
KEY_MODE = 0o600
RECHECK_SECONDS = 60.0  # until a renewed file is noticed without a reload

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Files:
    """Where the pair is looked for, and how errors name the two."""

    certificate: Path
    key: Path
    certificate_setting: str
    key_setting: str
    remedy: str

    def read(self) -> Pair:
        source = f"{printable(self.certificate)} and {printable(self.key)}"
        return Pair(
            read_pem(self.certificate, setting=self.certificate_setting),
            read_pem(self.key, setting=self.key_setting),
            source,
            self.remedy,
        )


@dataclass(frozen=True, slots=True)
class _Content:
    pair: Pair
    client_authorities: bytes | None


class Https:
    """What the HTTPS listener shows to its clients and asks of them."""

    def __init__(self, settings: Settings, *, wall_clock: Callable[[], datetime]) -> None:
        """Read what is there: nothing is made, and there is nothing to wait for.

        Raises: ConfigurationError about files that were configured, or made earlier.
        """
        self._settings = settings
        self._wall_clock = wall_clock
        self._configured = _configured(settings)
        self._own = _own(settings)
        self._content = self._read()
        self._context = self._put_into_force(self._content) if self._content else None
        self._refused: ConfigurationError | None = None

    def context(self) -> ssl.SSLContext:
        """For the next connection. Not before `provide`."""
        assert self._context is not None  # noqa: S101 — the listener serves after `provide`
        return self._context

    async def provide(self) -> None:
        """Make a certificate if there is none. Raises: StateError if it cannot be kept."""
        if self._content is None:
            self._content = await trio.to_thread.run_sync(self._make)
            self._context = self._put_into_force(self._content)
        await self._warn_of(self._content.pair)

    async def renew(self) -> None:
        """Take what the files hold now. Where that cannot be used, what was in force stays."""
        try:
            content = await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)
            if content is None or content == self._content:
                self._refused = None
                return
            self._context = self._put_into_force(content)
        except ConfigurationError as error:
            if self._refused is None or self._refused.line != error.line:
                log.error("%s The certificate of before stays in force.", error.line)
            self._refused = error
            return
        self._content, self._refused = content, None
        log.info("tls-certificate-renewed: %s", content.pair.source)
        await self._warn_of(content.pair)

    async def follow(self) -> None:
        """Renew until cancelled."""
        while True:
            await trio.sleep(RECHECK_SECONDS)
            await self.renew()

    def _read(self) -> _Content | None:
        authorities = self._authorities()
        if authorities is not None:
            require_certificates(authorities)  # also where there is no pair to use them with yet
        if self._configured is not None:
            return _Content(self._configured.read(), authorities)
        if self._own is None or not (_holds(self._own.certificate) and _holds(self._own.key)):
            return None
        return _Content(self._own.read(), authorities)

    def _authorities(self) -> bytes | None:
        """Certificates in PEM of which clients' ones have to be; None: clients are not asked."""
        api = self._settings.api_server
        parts = []
        if api.https.tls_ca_file is not None:
            source = "apiServer.https.tlsCaFile"
            parts.append(read_pem(api.https.tls_ca_file, setting=source, gives_trust=True))
        if api.auth.client_certs_dir is not None:
            parts += read_certificates(
                api.auth.client_certs_dir, setting="apiServer.auth.clientCertsDir"
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
                replace_file(self._own.certificate, pair.certificate, mode=FILE_MODE)
            except OSError as error:
                raise StateError(
                    f"the certificate cannot be kept in {printable(self._own.key.parent)}: "
                    f"{error.strerror}",
                    code="tls-certificate-not-kept",
                    hint="Give the directory room and to the user of the daemon, or set "
                    "apiServer.https.tlsCertFile and tlsKeyFile.",
                ) from None
            pair = self._own.read()
        log.info("tls-certificate-made: for %s", ", ".join(names))
        return _Content(pair, self._authorities())

    def _put_into_force(self, content: _Content) -> ssl.SSLContext:
        general = self._settings.general
        terms = Terms(
            version_min=general.tls_min_version,
            version_max=general.tls_max_version,
            cipher_suites=general.tls_cipher_suites,
            client_authorities=content.client_authorities,
            client_certificate_required=self._settings.api_server.https.require_client_cert,
        )
        return server_context(content.pair, terms)

    async def _warn_of(self, pair: Pair) -> None:
        files = self._configured or self._own
        exposed = None if files is None else exposure(files.key)
        if exposed is not None:
            log.warning("tls-key-exposed: the key of HTTPS in %s", exposed)
        end = await trio.to_thread.run_sync(ends_at, pair.certificate)
        if end <= self._wall_clock():
            log.warning(
                "tls-certificate-expired: the certificate of %s ended at %s; clients refuse it. %s",
                pair.source,
                instant(end),
                pair.remedy,
            )


def _configured(settings: Settings) -> _Files | None:
    """The listener's own pair, else that of all servers; the settings are complete or absent."""
    https, general = settings.api_server.https, settings.general
    for section, certificate, key in (
        ("apiServer.https", https.tls_cert_file, https.tls_key_file),
        ("general", general.tls_cert_file, general.tls_key_file),
    ):
        if certificate is not None and key is not None:
            return _Files(
                certificate,
                key,
                f"{section}.tlsCertFile",
                f"{section}.tlsKeyFile",
                f"Put a certificate with its key into the files of {section}.tlsCertFile and "
                "tlsKeyFile, in PEM.",
            )
    return None


def _own(settings: Settings) -> _Files | None:
    if settings.store.type == "memory":  # nothing is to outlive the process
        return None
    folder = settings.general.work_dir
    return _Files(
        folder / CERTIFICATE_NAME,
        folder / KEY_NAME,
        "kept in general.workDir",
        "kept in general.workDir",
        "Remove both files: a new pair is made at the next start.",
    )


def _holds(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
