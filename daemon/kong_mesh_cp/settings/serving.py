"""Settings of the servers: certificates and TLS of all of them, and the API server."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.options import OPTION, Option, option
from kong_mesh_cp.settings.token_authentication import ApiServerAuthnTokensSettings

CONNECTIONS_MAX = 16_384  # of one port: with the seats, what LimitNOFILE= of the unit allows


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralSettings:
    """What all servers share: the work directory, certificate and versions of TLS."""

    work_dir: Path = field(
        metadata={
            OPTION: Option(
                form=forms.DIRECTORY,
                doc="The state directory: database, lock, record of the trial.",
                environment="KUMA_GENERAL_WORK_DIR",
                flag=None,
                secret=False,
                default_text="$STATE_DIRECTORY (set by systemd), else $HOME/.kuma",
            )
        }
    )
    tls_cert_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_GENERAL_TLS_CERT_FILE",
        default_text="not set: kuma-cp.crt in general.workDir, made at the first start",
        doc="The certificate, with its chain, of every server without its own. A PEM file.",
    )
    tls_key_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_GENERAL_TLS_KEY_FILE",
        default_text="not set: kuma-cp.key in general.workDir, made at the first start",
        doc="The key of general.tlsCertFile. A PEM file without a password.",
    )
    tls_min_version: str = option(
        forms.TLS_VERSION,
        default="TLSv1_2",
        environment="KUMA_GENERAL_TLS_MIN_VERSION",
        doc="The oldest version of TLS that servers speak: TLSv1_2 or TLSv1_3.",
    )
    tls_max_version: str | None = option(
        forms.TLS_VERSION,
        default=None,
        environment="KUMA_GENERAL_TLS_MAX_VERSION",
        default_text="not set: the newest there is",
        doc="The newest version of TLS that servers speak: TLSv1_2 or TLSv1_3.",
    )
    tls_cipher_suites: tuple[str, ...] = option(
        lists.CIPHER_SUITES,
        default=(),
        environment="KUMA_GENERAL_TLS_CIPHER_SUITES",
        default_text="not set: what OpenSSL takes for safe",
        doc="The cipher suites of TLS 1.2 that servers accept, by the IANA registry's names. "
        "Those of TLS 1.3 are always accepted.",
    )
    resilient_component_base_backoff: timedelta = option(
        forms.DURATION,
        default=timedelta(seconds=5),
        environment="KUMA_GENERAL_RESILIENT_COMPONENT_BASE_BACKOFF",
        doc="How long a zone waits before it connects to its global control plane again; twice as "
        "long each time.",
    )
    resilient_component_max_backoff: timedelta = option(
        forms.DURATION,
        default=timedelta(minutes=1),
        environment="KUMA_GENERAL_RESILIENT_COMPONENT_MAX_BACKOFF",
        doc="How long it waits at the most.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerHttpSettings:
    """The plain listener of the API."""

    enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_HTTP_ENABLED",
        doc="Whether the API server listens without TLS.",
    )
    interface: str = option(
        forms.INTERFACE,
        default="0.0.0.0",  # noqa: S104 (Kuma's default; only localhost is admin)
        environment="KUMA_API_SERVER_HTTP_INTERFACE",
        doc="The address on which the API server listens.",
    )
    port: int = option(
        forms.PORT,
        default=5681,
        environment="KUMA_API_SERVER_HTTP_PORT",
        doc="The TCP port of the API server. 0 takes any free port and logs it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerHttpsSettings:
    """The listener of the API that speaks TLS."""

    enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_HTTPS_ENABLED",
        doc="Whether the API server listens with TLS, too.",
    )
    interface: str = option(
        forms.INTERFACE,
        default="0.0.0.0",  # noqa: S104 (Kuma's default; only localhost is admin)
        environment="KUMA_API_SERVER_HTTPS_INTERFACE",
        doc="The address on which the API server listens with TLS.",
    )
    port: int = option(
        forms.PORT,
        default=5682,
        environment="KUMA_API_SERVER_HTTPS_PORT",
        doc="The TCP port of the API server with TLS. 0 takes any free port and logs it.",
    )
    tls_cert_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_API_SERVER_HTTPS_TLS_CERT_FILE",
        default_text="not set: general.tlsCertFile",
        doc="The certificate of the API server, with its chain. A PEM file.",
    )
    tls_key_file: Path | None = option(
        forms.SECRET_FILE,
        default=None,
        environment="KUMA_API_SERVER_HTTPS_TLS_KEY_FILE",
        default_text="not set: general.tlsKeyFile",
        doc="The key of apiServer.https.tlsCertFile. A PEM file without a password.",
    )
    tls_ca_file: Path | None = option(
        forms.FILE_PATH,
        default=None,
        environment="KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE",
        default_text="not set: clients are not asked for certificates",
        doc="The authorities, in a PEM file, of which a client's certificate must be.",
    )
    require_client_cert: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT",
        doc="Whether clients without a certificate are turned away. Needs "
        "apiServer.https.tlsCaFile or apiServer.auth.clientCertsDir.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerAuthSettings:
    """Client certificates that make their holder an administrator."""

    client_certs_dir: Path | None = option(
        forms.DIRECTORY,
        default=None,
        environment="KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR",
        default_text="not set",
        doc="A folder whose .pem and .crt files are certificates of clients, or of their "
        "authorities. They count beside those of apiServer.https.tlsCaFile.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerAuthnSettings:
    """How users of the API prove who they are."""

    type: str = option(
        forms.one_of("tokens", "adminClientCerts"),
        default="tokens",
        environment="KUMA_API_SERVER_AUTHN_TYPE",
        doc="What proves who a client of the API is: tokens of users; or adminClientCerts, "
        "where everybody with a certificate of apiServer.https.tlsCaFile or "
        "apiServer.auth.clientCertsDir is an administrator, and no token counts.",
    )
    localhost_is_admin: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN",
        doc="Whether requests from this machine, sent to a localhost name, not forwarded by a "
        "proxy and of no foreign web page, may use the parts of the API that are for "
        "administrators.",
    )
    tokens: ApiServerAuthnTokensSettings = field(default_factory=ApiServerAuthnTokensSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerGuiSettings:
    """The console: pages for browsers, on the ports of the API."""

    enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_GUI_ENABLED",
        doc="Whether the API server has a console for browsers.",
    )
    root_url: str = option(
        forms.WEB_ADDRESS,
        default="",
        environment="KUMA_API_SERVER_GUI_ROOT_URL",
        default_text="not set: apiServer.gui.basePath",
        doc="Where browsers find the console, such as https://mesh.example.com/east/gui, when a "
        "proxy gives it another address. What is before apiServer.gui.basePath in its path (here "
        "/east) is before the API's path, too.",
    )
    base_path: str = option(
        forms.CONSOLE_PATH,
        default="/gui",
        environment="KUMA_API_SERVER_GUI_BASE_PATH",
        doc="The path of the console. It does not lie below apiServer.basePath, and hides what the "
        "API may have there.",
    )

    @property
    def address(self) -> str:
        """What the API's index says of it; "" if there is none."""
        return (self.root_url or self.base_path) if self.enabled else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerLimitsSettings:
    """What all clients together may cost. Kuma has no such settings."""

    connections: int = option(
        forms.whole_number(16, CONNECTIONS_MAX),
        default=1024,
        environment="KMESH_API_SERVER_LIMITS_CONNECTIONS",
        doc="How many connections the API server has at once, on each of its ports. When all are "
        "in use, those that have been idle longest are closed in favour of new ones.",
    )
    connections_per_address: int = option(
        forms.whole_number(1, CONNECTIONS_MAX),
        default=256,
        environment="KMESH_API_SERVER_LIMITS_CONNECTIONS_PER_ADDRESS",
        doc="How many of them one address has, or one network of IPv6 (64 bits). The loopback "
        "addresses have no such bound.",
    )
    unread_answers_mebibytes: int = option(
        forms.whole_number(16, 16_384, unit="MiB"),
        default=64,
        environment="KMESH_API_SERVER_LIMITS_UNREAD_ANSWERS_MEBIBYTES",
        doc="How much memory is used for answers that clients have not taken yet; half of it for "
        "one address. Beyond it slow clients are cut off, and large requests get the status 503.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerSettings:
    """The HTTP API."""

    http: ApiServerHttpSettings = field(default_factory=ApiServerHttpSettings)
    https: ApiServerHttpsSettings = field(default_factory=ApiServerHttpsSettings)
    auth: ApiServerAuthSettings = field(default_factory=ApiServerAuthSettings)
    authn: ApiServerAuthnSettings = field(default_factory=ApiServerAuthnSettings)
    cors_allowed_domains: tuple[str, ...] = option(
        lists.ORIGINS,
        default=(),
        environment="KUMA_API_SERVER_CORS_ALLOWED_DOMAINS",
        default_text="none (Kuma: all)",
        doc="Web pages of which origins may read answers of the API, but for secrets and tokens: "
        "regular expressions, each for a whole origin, such as https://[^.]*[.]example[.]com; "
        "without looking around and without references back.",
    )
    base_path: str = option(
        forms.URL_PATH,
        default="/",
        environment="KUMA_API_SERVER_BASE_PATH",
        doc="The path under which the API lies, such as /mesh. It is a part of every address then, "
        "also of the one that kumactl is given.",
    )
    read_only: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KUMA_API_SERVER_READ_ONLY",
        doc="Whether the API server refuses every change of a resource.",
    )
    refuse_unknown_members: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KMESH_API_SERVER_REFUSE_UNKNOWN_MEMBERS",
        doc="Whether a resource with members that its type does not know is refused, as if every "
        "client had asked for strict=true. Otherwise the answer has a warning for each, and they "
        "have no effect.",
    )
    gui: ApiServerGuiSettings = field(default_factory=ApiServerGuiSettings)
    limits: ApiServerLimitsSettings = field(default_factory=ApiServerLimitsSettings)
