"""The settings of the store: which one, and where PostgreSQL is."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.forms import Secret, UnsupportedError
from kong_mesh_cp.settings.options import option

TLS_MODES = ("disable", "verifyNone", "verifyCa", "verifyFull")
TLS_MODES_WITH_AUTHORITY = frozenset({"verifyCa", "verifyFull"})
CONNECT_SECONDS = (2, 60)  # libpq takes less than 2 for 2
CONNECTIONS = (2, 1000)
QUOTA_ITEMS_MAX = 1_000_000
QUOTA_BYTES_MAX = 8 * 1024**3
# A start that waits longer would be ended by TimeoutStartSec= of the unit.
WAIT_SECONDS = (0, 75)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresTlsSettings:
    """Whether and how the connection to PostgreSQL is encrypted."""

    mode: str = option(
        forms.one_of(*TLS_MODES),
        default="disable",
        environment="KUMA_STORE_POSTGRES_TLS_MODE",
        doc="How the connection is protected: disable (not at all), verifyNone (encrypted), "
        "verifyCa (and the server's certificate is of an authority in caPath) or verifyFull (and "
        "it is for this host).",
    )
    cert_path: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_STORE_POSTGRES_TLS_CERT_PATH",
        default_text="not set",
        doc="The certificate that is shown to PostgreSQL. A PEM file.",
    )
    key_path: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_STORE_POSTGRES_TLS_KEY_PATH",
        default_text="not set",
        doc="The key of store.postgres.tls.certPath. A PEM file that the daemon's user owns and "
        "nobody else can read.",
    )
    ca_path: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH",
        default_text="not set",
        doc="The authorities, in a PEM file, of which the server's certificate must be.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings:
    """Used where `store.type` is postgres. The defaults are Kuma's but for the connections."""

    host: str = option(
        forms.HOST,
        default="127.0.0.1",
        environment="KUMA_STORE_POSTGRES_HOST",
        doc="The host of PostgreSQL, or the folder of its Unix socket.",
    )
    port: int = option(
        forms.whole_number(1, forms.PORT_MAX),
        default=15432,
        environment="KUMA_STORE_POSTGRES_PORT",
        doc="The TCP port of PostgreSQL. As Kuma, the default is not PostgreSQL's own, 5432.",
    )
    user: str = option(
        forms.ROLE,
        default="kuma",
        environment="KUMA_STORE_POSTGRES_USER",
        doc="The user to log in as. It has to own the database, or be allowed to make a schema.",
    )
    password: Secret | None = option(
        forms.SECRET,
        default=None,
        environment="KUMA_STORE_POSTGRES_PASSWORD",
        secret=True,
        default_text="not set: passwordFile, else the credential postgres-password, else kuma",
        doc="The password of the user. The daemon removes the variable from its environment once "
        "it has read it.",
    )
    password_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KMESH_STORE_POSTGRES_PASSWORD_FILE",
        default_text="not set",
        doc="A file that holds the password and nothing else; a line break at its end does not "
        "count. Read at start.",
    )
    db_name: str = option(
        forms.DATABASE,
        default="kuma",
        environment="KUMA_STORE_POSTGRES_DB_NAME",
        doc="The database. It must exist; the schema kong_mesh_cp is made in it.",
    )
    connection_timeout: int = option(
        forms.whole_number(*CONNECT_SECONDS, unit="seconds"),
        default=5,
        environment="KUMA_STORE_POSTGRES_CONNECTION_TIMEOUT",
        doc="How many seconds one attempt to connect may take.",
    )
    max_open_connections: int = option(
        forms.whole_number(
            *CONNECTIONS,
            refused={
                0: UnsupportedError(
                    "connections without a limit are not in this version",
                    remedy=f"Write a number from {CONNECTIONS[0]} to {CONNECTIONS[1]}.",
                )
            },
        ),
        default=8,
        environment="KUMA_STORE_POSTGRES_MAX_OPEN_CONNECTIONS",
        doc="How many connections this control plane opens at most. Two of them (one, where there "
        "are two) are for the changes of others.",
    )
    wait_seconds: int = option(
        forms.whole_number(*WAIT_SECONDS, unit="seconds"),
        default=60,
        environment="KMESH_STORE_POSTGRES_WAIT_SECONDS",
        doc="How many seconds a start waits for a PostgreSQL that does not answer before it gives "
        "up, with status 73, to be started again by systemd.",
    )
    tls: PostgresTlsSettings = field(default_factory=PostgresTlsSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreQuotaSettings:
    """How much users may store who are no administrators."""

    items: int = option(
        forms.whole_number(0, QUOTA_ITEMS_MAX),
        default=10_000,
        environment="KMESH_STORE_QUOTA_ITEMS",
        doc="How many resources the store may hold before users who are no administrators can add "
        "no more: of Dataplanes, and again of all others. What the control plane and admissions "
        "write is not refused.",
    )
    bytes: int = option(
        forms.whole_number(0, QUOTA_BYTES_MAX),
        default=64 * 1024 * 1024,
        environment="KMESH_STORE_QUOTA_BYTES",
        doc="As store.quota.items, in bytes of their documents and labels.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where resources and seats are kept."""

    type: str = option(
        forms.one_of(
            "sqlite",
            "postgres",
            "memory",
            unsupported={
                "kubernetes": UnsupportedError(
                    "the store kubernetes needs Kubernetes, which this product does not use",
                    remedy="Use sqlite, which keeps everything in general.workDir, or postgres.",
                ),
            },
        ),
        default="sqlite",
        environment="KUMA_STORE_TYPE",
        doc="Where state is kept: sqlite (a database in general.workDir), postgres (a database "
        "that several control planes share) or memory (nothing survives a restart; for trying "
        "things out).",
    )
    unsafe_delete: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_STORE_UNSAFE_DELETE",
        doc="Whether a mesh may be deleted that still has data plane proxies, and a zone that is "
        "still connected.",
    )
    quota: StoreQuotaSettings = field(default_factory=StoreQuotaSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
