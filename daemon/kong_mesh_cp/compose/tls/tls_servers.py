"""The servers with TLS, and where the settings say that the certificate of each is."""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.identity.tls_files import PemFile, chain_and_key
from kong_mesh_cp.settings.data_plane.dp_server import DpServerSettings
from kong_mesh_cp.settings.data_plane.monitoring import MonitoringAssignmentServerSettings
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.multizone.global_kds import GlobalKdsSettings
from kong_mesh_cp.settings.serving import GeneralSettings
from kong_mesh_cp.shell.host.certificates import Pair, Terms, read_pem

_OwnTerms = DpServerSettings | MonitoringAssignmentServerSettings | GlobalKdsSettings


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where the pair is looked for, and how errors name the two."""

    certificate: Path
    key: Path
    certificate_setting: str
    key_setting: str
    remedy: str

    def read(self) -> Pair:
        certificate = self._file(self.certificate, self.certificate_setting)
        key = self._file(self.key, self.key_setting)
        chain, key_text = chain_and_key(certificate, key)
        source = f"{printable(self.certificate)} and {printable(self.key)}"
        return Pair(chain, key_text, source, self.remedy, certificate.name)

    def _file(self, path: Path, setting: str) -> PemFile:
        return PemFile(str(path), setting, read_pem(path, setting=setting), self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """One server that speaks TLS, as the settings have it."""

    section: str  # of the settings
    says: str  # how lines of the log call it
    certificate: Path | None
    key: Path | None
    terms: Terms  # but for the authorities of clients
    authorities_file: Path | None = None
    authorities_folder: Path | None = None

    def files(self, settings: Settings) -> PairFiles | None:
        """The server's own pair, else that of all; the settings are complete or absent."""
        general = settings.general
        for section, certificate, key in (
            (self.section, self.certificate, self.key),
            ("general", general.tls_cert_file, general.tls_key_file),
        ):
            if certificate is not None and key is not None:
                return PairFiles(
                    certificate,
                    key,
                    f"{section}.tlsCertFile",
                    f"{section}.tlsKeyFile",
                    f"Put a certificate with its key into the files of {section}.tlsCertFile and "
                    "tlsKeyFile, in PEM.",
                )
        return None


def api_server(settings: Settings) -> TlsServer:
    api, general = settings.api_server, settings.general
    return TlsServer(
        section="apiServer.https",
        says="HTTPS",
        certificate=api.https.tls_cert_file,
        key=api.https.tls_key_file,
        terms=Terms(
            version_min=general.tls_min_version,
            version_max=general.tls_max_version,
            cipher_suites=general.tls_cipher_suites,
            client_certificate_required=api.https.require_client_cert,
        ),
        authorities_file=api.https.tls_ca_file,
        authorities_folder=api.auth.client_certs_dir,
    )


def dp_server(settings: Settings) -> TlsServer:
    """The one for proxies."""
    return _own_terms("dpServer", "the server for proxies", settings.dp_server, settings.general)


def monitoring_server(settings: Settings) -> TlsServer:
    section, own = "monitoringAssignmentServer", settings.monitoring_assignment_server
    return _own_terms(section, "the server for Prometheus", own, settings.general)


def zone_server(settings: Settings) -> TlsServer:
    """The one for control planes of zones."""
    section, own = "multizone.global.kds", settings.multizone.global_.kds
    return _own_terms(section, "the server for zones", own, settings.general)


def _own_terms(section: str, says: str, own: _OwnTerms, general: GeneralSettings) -> TlsServer:
    """What a server says of TLS itself wins over what all servers share."""
    terms = Terms(
        version_min=own.tls_min_version or general.tls_min_version,
        version_max=own.tls_max_version or general.tls_max_version,
        cipher_suites=own.tls_cipher_suites or general.tls_cipher_suites,
    )
    return TlsServer(
        section=section,
        says=says,
        certificate=own.tls_cert_file,
        key=own.tls_key_file,
        terms=terms,
    )
