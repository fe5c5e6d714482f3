"""Where the server is, who we are there, and how its connections behave. Needs no psycopg."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable

SCHEMA = "kong_mesh_cp"  # a schema of our own: the database may be shared, also with Kuma
STATEMENT_SECONDS_MAX = 10
LOCK_SECONDS_MAX = 5  # how long a change waits for another control plane's
IDLE_IN_TRANSACTION_SECONDS_MAX = 10  # a control plane that hangs must not keep its lock


class TlsMode(StrEnum):
    """The values of KUMA_STORE_POSTGRES_TLS_MODE."""

    DISABLE = "disable"
    VERIFY_NONE = "verifyNone"
    VERIFY_CA = "verifyCa"
    VERIFY_FULL = "verifyFull"

    @property
    def libpq(self) -> str:
        match self:
            case TlsMode.DISABLE:
                return "disable"
            case TlsMode.VERIFY_NONE:
                return "require"
            case TlsMode.VERIFY_CA:
                return "verify-ca"
            case TlsMode.VERIFY_FULL:
                return "verify-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """`str` of it can be shown: it holds no password."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: TlsMode = TlsMode.DISABLE
    ca_path: Path | None = None  # None with VERIFY_CA or VERIFY_FULL: libpq's own default
    cert_path: Path | None = None
    key_path: Path | None = None
    connect_seconds_max: int = 5  # libpq counts whole seconds, and no less than two
    connections_max: int = 8  # of this control plane, beside the one that listens

    def __str__(self) -> str:
        return printable(f"PostgreSQL at {self.host}:{self.port}, database {self.database}")

    def parameters(self) -> dict[str, str | int]:
        """The parameters of libpq. The session's settings make it the same on every server."""
        settings = {
            "search_path": SCHEMA,
            "TimeZone": "UTC",
            # A plan that was kept from when the table was empty reads all of it when it is not.
            "plan_cache_mode": "force_custom_plan",
            "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
            "lock_timeout": f"{LOCK_SECONDS_MAX}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
        }
        files = {
            "sslrootcert": self.ca_path,
            "sslcert": self.cert_path,
            "sslkey": self.key_path,
        }
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "sslmode": self.tls.libpq,
            "gssencmode": "disable",
            "connect_timeout": self.connect_seconds_max,
            "client_encoding": "utf8",
            "application_name": "kong-mesh-cp",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            **{name: str(path) for name, path in files.items() if path is not None},
        }
