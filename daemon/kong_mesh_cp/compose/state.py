"""Where state lies: a store of this machine, one that several share, or none that lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError, ControlPlaneError, StateError
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeys
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.service_manager import ServiceEnvironment
from kong_mesh_cp.settings.store import PostgresSettings
from kong_mesh_cp.shell.host.machine_id import machine_id
from kong_mesh_cp.shell.host.ownership import exposure
from kong_mesh_cp.shell.store.belongings import Belongings
from kong_mesh_cp.shell.store.copied_state import CopiedState
from kong_mesh_cp.shell.store.instance import find_instance, make_instance
from kong_mesh_cp.shell.store.kept_key import KeptKey
from kong_mesh_cp.shell.store.postgres.address import PostgresAddress, TlsMode
from kong_mesh_cp.shell.store.postgres.password import (
    CREDENTIAL_NAME,
    find_password,
    read_password,
)
from kong_mesh_cp.shell.store.sealed_resources import SealedResources, holds_sealed
from kong_mesh_cp.shell.store.sealing_key import SealingKeyFile
from kong_mesh_cp.shell.store.secret_key import (
    find_secret_keys,
    load_secret_keys,
    new_secret_key,
)
from kong_mesh_cp.shell.store.shared_key import sealing_with
from kong_mesh_cp.shell.store.sqlite.copies import Copies, merged
from kong_mesh_cp.shell.store.sqlite.peek import peek
from kong_mesh_cp.shell.store.sqlite.state_directory import StateDirectory
from kong_mesh_cp.shell.store.sqlite.store import SqliteStore
from kong_mesh_cp.shell.store.sqlite.store import open_store as open_sqlite
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore, SeatSlots
from kong_mesh_cp.usecases.ports.secrets import SealingKey
from kong_mesh_cp.usecases.ports.state_store import (
    Remembered,
    StateStore,
    StoreFailure,
    no_failure,
)
from kong_mesh_cp.usecases.upkeep.own_files import OwnFiles

if TYPE_CHECKING:
    from kong_mesh_cp.shell.store.postgres import failures as postgres_failures
    from kong_mesh_cp.shell.store.postgres import peek as postgres_peek
    from kong_mesh_cp.shell.store.postgres import store as postgres_store
    from kong_mesh_cp.shell.store.postgres.store import PostgresStore
else:
    postgres_failures = lazy_import("kong_mesh_cp.shell.store.postgres.failures")
    postgres_peek = lazy_import("kong_mesh_cp.shell.store.postgres.peek")
    postgres_store = lazy_import("kong_mesh_cp.shell.store.postgres.store")

DEFAULT_PASSWORD = "kuma"  # noqa: S105 (Kuma's, as the other defaults)
PAUSE_SECONDS = 1.0  # between two attempts to reach a server, then twice as long each time
PAUSE_SECONDS_MAX = 8.0
LISTENING_CONNECTIONS = 1  # beside those that ask

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The files in the state directory that must not go."""

    watch: OwnFiles
    belongings: Belongings

    async def restore(self) -> None:
        """Make again what is missing and can be made. What cannot be is said by the watch."""
        with suppress(StateError, OSError):
            await trio.to_thread.run_sync(self.belongings.restore, abandon_on_cancel=True)


@dataclass(frozen=True, slots=True)
class OpenState:
    """What a control plane keeps, open."""

    store: StateStore
    resources: ResourceStore  # with their secrets open
    sealing: SealingKey
    slots: SeatSlots | None = None  # None: this control plane alone counts seats
    plane: str = "this"  # the name of this control plane among all on the store
    failure: StoreFailure = no_failure
    files: KeptFiles | None = None  # None: there are none


def past(
    settings: Settings,
    service: ServiceEnvironment,
    *,
    wait_seconds: float = 0,
    tell: Callable[[str], None] | None = None,
) -> Remembered:
    """All that this control plane knows of its past. Makes and changes nothing.

    For a server that does not answer it waits up to `wait_seconds`; `tell` hears why.
    Raises: StateError, ConfigurationError, SecretKeyError.
    """
    match settings.store.type:
        case "memory":
            return Remembered(high_water={})
        case "postgres":
            return _past_in_postgres(settings, service, wait_seconds, tell)
        case _:
            return peek(settings.general.work_dir)


@asynccontextmanager
async def open_state(settings: Settings, service: ServiceEnvironment) -> AsyncIterator[OpenState]:
    """Take the state directory, make or migrate the store, and open its secrets.

    Raises: StateError, ConfigurationError, SecretKeyError.
    """
    if settings.store.type == "memory":
        log.warning(
            "store-memory: nothing will be remembered after this process ends: no seat, no trial,"
            " no clock. Unset KUMA_STORE_TYPE to keep them on disk."
        )
        async with open_sqlite(None) as store:
            keys = SecretKeys((new_secret_key(),))
            opened = SealedResources(store.resources, keys)
            yield OpenState(store, opened, SealingKeyFile(opened, store.resources))
        return
    credentials = service.credentials_directory
    with StateDirectory.open(settings.general.work_dir) as directory:
        if settings.store.type == "postgres":
            async with _open_postgres(settings, service, directory) as shared:
                keys = await _keys(shared.resources, directory, credentials)
                key_id = await shared.agree_on_secret_key(keys.keys[0].id)
                keys = sealing_with(keys, key_id, directory.path)
                resources = SealedResources(
                    shared.resources, keys, directory.belongings.require_as_known
                )
                files = _kept_files(directory, resources, credentials)
                for warning in await shared.exposure():
                    log.warning("%s", warning)
                plane = make_instance(directory.path, machine_id())
                copied = CopiedState(shared, directory.copies)
                sealing = SealingKeyFile(resources, shared.resources, directory.path, credentials)
                yield OpenState(
                    copied,
                    resources,
                    sealing,
                    shared.slots,
                    plane,
                    failure=lambda: files.watch.failure() or shared.failure(),
                    files=files,
                )
        else:
            async with directory.open_store() as store:
                keys = await _keys(store.resources, directory, credentials)
                opened = SealedResources(
                    store.resources, keys, directory.belongings.require_as_known
                )
                files = _kept_files(directory, opened, credentials, store)
                sealing = SealingKeyFile(opened, store.resources, directory.path, credentials)
                yield OpenState(store, opened, sealing, failure=files.watch.failure, files=files)


def _kept_files(
    directory: StateDirectory,
    resources: SealedResources,
    credentials: Path | None,
    store: SqliteStore | None = None,
) -> KeptFiles:
    belongings = directory.belongings
    key = KeptKey(directory.path, credentials, lambda: resources.keys)
    belongings.add(key.look, key.restore)

    async def look() -> None:
        try:
            await trio.to_thread.run_sync(belongings.require, abandon_on_cancel=True)
        except StateError:  # which says more than what it leads to
            if store is not None:
                with suppress(StateError):
                    await store.look_after()
            raise
        if store is not None:
            await store.look_after()
        if store is not None:
            await store.look_after_copies()

    return KeptFiles(OwnFiles(look), belongings)


@asynccontextmanager
async def open_store(settings: Settings, service: ServiceEnvironment) -> AsyncIterator[StateStore]:
    """As `open_state`, for commands that do not touch resources: no key is read or made."""
    with StateDirectory.open(settings.general.work_dir) as directory:
        if settings.store.type == "postgres":
            async with _open_postgres(settings, service, directory) as shared:
                yield CopiedState(shared, directory.copies)
        else:
            async with directory.open_store() as store:
                yield store


async def _keys(
    resources: ResourceStore, directory: StateDirectory, credentials: Path | None
) -> SecretKeys:
    sealed = await holds_sealed(resources)
    return load_secret_keys(directory.path, credentials, holds_sealed=sealed)


@asynccontextmanager
async def _open_postgres(
    settings: Settings, service: ServiceEnvironment, directory: StateDirectory
) -> AsyncIterator[PostgresStore]:
    address = postgres_address(settings.store.postgres, service.credentials_directory)
    instance = make_instance(directory.path, machine_id())
    require_client()
    refused: ControlPlaneError | None = None
    async with trio.open_nursery() as tasks:
        # A nursery would wrap the refusal of the start in a group, which is hard to read.
        try:
            opening = postgres_store.open_postgres(address, instance=instance, tasks=tasks)
            async with opening as store:
                log.info("store-opened: %s, as the control plane %s", address, instance)
                yield store
        except ControlPlaneError as error:
            refused = error
    if refused is not None:
        raise refused


def _past_in_postgres(
    settings: Settings,
    service: ServiceEnvironment,
    wait_seconds: float,
    tell: Callable[[str], None] | None,
) -> Remembered:
    directory, credentials = settings.general.work_dir, service.credentials_directory
    address = postgres_address(settings.store.postgres, credentials)
    require_client()
    instance = find_instance(directory, machine_id())
    peeked = await_server(
        lambda: postgres_peek.peek_postgres(address, instance), wait_seconds=wait_seconds, tell=tell
    )
    if peeked.secret_key_id is not None:
        sealing_with(find_secret_keys(directory, credentials), peeked.secret_key_id, directory)
    return merged(peeked.past, Copies(directory).read())


def postgres_address(settings: PostgresSettings, credentials: Path | None) -> PostgresAddress:
    """Raises: ConfigurationError about a file with the password."""
    return PostgresAddress(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=_password(settings, credentials),
        database=settings.db_name,
        tls=TlsMode(settings.tls.mode),
        ca_path=settings.tls.ca_path,
        cert_path=settings.tls.cert_path,
        key_path=settings.tls.key_path,
        connect_seconds_max=settings.connection_timeout,
        connections_max=settings.max_open_connections - LISTENING_CONNECTIONS,
    )


def _password(settings: PostgresSettings, credentials: Path | None) -> str:
    if settings.password is not None:
        return settings.password.reveal()
    if settings.password_file is not None:
        exposed = exposure(settings.password_file)
        if exposed is not None:
            log.warning("store-password-exposed: the password of PostgreSQL in %s", exposed)
        return read_password(settings.password_file)
    handed_over = None if credentials is None else find_password(credentials / CREDENTIAL_NAME)
    return DEFAULT_PASSWORD if handed_over is None else handed_over


def await_server(
    ask: Callable[[], T],
    *,
    wait_seconds: float,
    tell: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """What `ask` says, when the server answers. Raises: StateError, the last one.

    Whatever passes by itself (a server that starts, or fails over) is waited for; a wrong password
    is not.
    """
    end, pause, waited = monotonic() + wait_seconds, PAUSE_SECONDS, False
    while True:
        try:
            answer = ask()
        except StateError as error:
            if error.code not in postgres_failures.PASSING or monotonic() + pause > end:
                raise
            if not waited:
                waited = True
                log.warning(
                    "store-awaited: %s; the start waits for it, at most %d s. %s",
                    error.message,
                    wait_seconds,
                    error.hint,
                )
            if tell is not None:
                tell(f"waiting for the store: {error.line}")
            sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        else:
            if waited:
                log.warning("store-answers: the start goes on")
            return answer


def require_client() -> None:
    """PostgreSQL's client is loaded only where it is wanted. Raises: ConfigurationError."""
    try:
        import psycopg  # noqa: F401, PLC0415 (whether it is there is the question)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "psycopg"
        what, remedy = (
            ("psycopg", "Install it: pip install 'kong-mesh-cp[postgres]'")
            if missing
            else ("libpq", "Install it: apt-get install libpq5, or dnf install libpq")
        )
        raise ConfigurationError(
            f"KUMA_STORE_TYPE is postgres, and {what}, the client of PostgreSQL, is not on this "
            "machine",
            code="store-client-missing",
            hint=f"{remedy}.",
        ) from None
