"""Everything that can refuse a start before a port, a file or the event loop is touched."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.compose.state import past
from kong_mesh_cp.compose.tls.https import Https, own_pair
from kong_mesh_cp.compose.tls.tls_servers import dp_server, monitoring_server, zone_server
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.effective import effective
from kong_mesh_cp.settings.loading import Loaded, load, secret_variables
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.problems import SettingsRejectedError
from kong_mesh_cp.settings.service_manager import ADMISSION_NAME, ServiceEnvironment
from kong_mesh_cp.shell.admission_socket.listener import require_free
from kong_mesh_cp.shell.host import clocks, logs
from kong_mesh_cp.shell.host.environment import wipe_initial_environment
from kong_mesh_cp.shell.license_file.keyring import read_keyring
from kong_mesh_cp.shell.license_file.sources import SystemLicenseSources
from kong_mesh_cp.usecases.license.holder import LicenseHolder
from kong_mesh_cp.usecases.ports.state_store import Remembered

if TYPE_CHECKING:
    from kong_mesh_cp.compose import token_trust
    from kong_mesh_cp.compose.token_trust import TokenTrust
else:
    token_trust = lazy_import("kong_mesh_cp.compose.token_trust")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The flags of `kong-mesh-cp run`, and how it speaks."""

    config_file: str | None = None
    log_level: str | None = None
    keyring_file: str | None = None
    banner: bool = False
    preload: str | None = None  # a file of resources for a store in memory
    worded: Callable[[str], str] | None = None  # what to make of lines for a terminal


class LicenseEventRelay:
    """Passes license events on to a listener, which comes later than the license."""

    def __init__(self) -> None:
        self.listener: Callable[[Mapping[str, object]], None] | None = None

    def __call__(self, event: Mapping[str, object]) -> None:
        if self.listener is not None:
            self.listener(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A start that nothing known so far speaks against."""

    settings: Settings
    config: Mapping[str, object]  # effective, secrets masked: what GET /config shows
    service: ServiceEnvironment
    sources: SystemLicenseSources
    licensing: LicenseHolder
    herald: LicenseEventRelay
    https: Https | None  # None: not served
    proxies_tls: Https | None  # likewise, of the server for proxies
    monitoring_tls: Https | None  # likewise, of that for Prometheus; it may serve without
    zones_tls: Https | None = None  # likewise, of that for zones
    token_trust: TokenTrust | None = None  # where it took files to know it
    banner: bool
    preload: Path | None = None


def prepare(
    options: RunOptions,
    environ: MutableMapping[str, str],
    service: ServiceEnvironment,
    tell: Callable[[str], None] | None = None,
) -> Prepared:
    """Read the settings and check the license. Takes no port and makes no file.

    Takes what is secret out of `environ` and out of what /proc shows of this process. Waits for
    a database that does not answer, for as long as is set; `tell` hears of it.
    Raises: ControlPlaneError, whose exit status says whether trying again can help.
    """
    secret = [variable for variable in secret_variables() if variable in environ]
    journal = logs.on_journal(service.journal_stream)
    try:
        loaded = load(
            arguments={
                "--config-file": options.config_file,
                "--log-level": options.log_level,
            },
            environ=environ,
        )
    except SettingsRejectedError as error:
        # The line of the refusal is the last one; what may explain it goes before it.
        logs.configure("warning", journal=journal, worded=options.worded)
        for remark in error.remarks:
            log.warning("%s", remark)
        raise
    finally:
        for variable in secret:
            wipe_initial_environment(variable)
    settings = loaded.settings
    if options.preload is not None:
        settings = replace(settings, store=replace(settings.store, type="memory"))
    logs.configure(settings.log.level, journal=journal, worded=options.worded)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    for note in loaded.notes:
        log.info("%s", note)
    # Beside another daemon nothing is made: no state directory, no key.
    if ADMISSION_NAME not in service.socket_names:
        require_free(settings.admission.socket)
    herald = LicenseEventRelay()
    sources = license_sources(loaded, service)
    https, proxies_tls, monitoring_tls, zones_tls = _tls(settings)
    known = past(settings, service, wait_seconds=settings.store.postgres.wait_seconds, tell=tell)
    for remark in known.remarks:
        log.warning("%s", remark)
    return Prepared(
        settings=settings,
        config=effective(settings),
        service=service,
        sources=sources,
        licensing=_licensing(options, known, sources, herald),
        herald=herald,
        https=https,
        proxies_tls=proxies_tls,
        monitoring_tls=monitoring_tls,
        zones_tls=zones_tls,
        token_trust=_token_trust(settings),
        banner=options.banner,
        preload=None if options.preload is None else Path(options.preload),
    )


def _token_trust(settings: Settings) -> TokenTrust | None:
    """The public keys that tokens are verified with. Raises: ConfigurationError."""
    proxies = settings.dp_server.authn
    validators = (
        settings.api_server.authn.tokens.validator,
        proxies.dp_proxy.dp_token.validator,
        proxies.zone_proxy.zone_token.validator,
    )
    if not any(validator.public_keys for validator in validators):
        return None
    return token_trust.read_token_trust(settings)  # few starts have any


def unusable_keys(settings: Settings) -> ConfigurationError | None:
    """Why a start would be refused for the public keys of tokens; None: it would not."""
    try:
        _token_trust(settings)
    except ConfigurationError as error:
        return error
    return None


def _tls(
    settings: Settings,
) -> tuple[Https | None, Https | None, Https | None, Https | None]:
    """Of the API, the servers for proxies, Prometheus and zones. Raises: ConfigurationError."""
    own, clock = own_pair(settings), clocks.wall_clock
    https = proxies = monitoring = zones = None
    if settings.api_server.https.enabled:
        https = Https(settings, wall_clock=clock, own=own)
    if settings.mode != "global":
        server = dp_server(settings)
        proxies = Https(settings, wall_clock=clock, server=server, own=own, beside=https)
        if settings.monitoring_assignment_server.tls_enabled:
            server = monitoring_server(settings)
            monitoring = Https(settings, wall_clock=clock, server=server, own=own, beside=proxies)
    elif settings.multizone.global_.kds.tls_enabled:
        server = zone_server(settings)
        zones = Https(settings, wall_clock=clock, server=server, own=own, beside=https)
    return https, proxies, monitoring, zones


def check_start(
    options: RunOptions, environ: MutableMapping[str, str], service: ServiceEnvironment
) -> None:
    """Would `run` with these flags in this environment start? Changes nothing but `environ`.

    Raises: ControlPlaneError as `prepare`.
    """
    loaded = load(arguments={"--config-file": options.config_file}, environ=environ)
    settings, sources = loaded.settings, license_sources(loaded, service)
    _tls(settings)
    _licensing(options, past(settings, service), sources, LicenseEventRelay())
    _token_trust(settings)


def _licensing(
    options: RunOptions, known: Remembered, sources: SystemLicenseSources, herald: LicenseEventRelay
) -> LicenseHolder:
    keyring_file = Path(options.keyring_file) if options.keyring_file else None
    return LicenseHolder(
        sources=sources,
        keyring=read_keyring(keyring_file),
        keyring_override=keyring_file is not None,
        wall=clocks.wall_clock,
        boottime=clocks.boot_clock,
        boot_id=clocks.boot_id(),
        remembered=known,
        announce=herald,
    )


def license_sources(loaded: Loaded, service: ServiceEnvironment) -> SystemLicenseSources:
    """Every place that may hold a license, as this start was given them."""
    texts = loaded.license_texts
    credentials, origin = service.credentials_directory, service.credential_origin
    return SystemLicenseSources(
        inline=texts.inline,
        path=texts.path,
        credentials_directory=os.fspath(credentials) if credentials else None,
        credential_origin=os.fspath(origin) if origin else None,
        config_inline=texts.config_inline,
        config_path=texts.config_path,
    )
