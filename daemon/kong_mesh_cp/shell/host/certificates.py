"""A server's certificate and key: read, checked, put into force, made."""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.tls_names import SUITES_OF_1_2
from kong_mesh_cp.core.identity.rsa_keys import private_key_pem
from kong_mesh_cp.core.identity.tls_files import PemFile, certificates_in, wrong_order
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.host.ownership import distrust
from kong_mesh_cp.shell.host.reading import read_regular

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from kong_mesh_cp.core.identity import ca
else:
    rsa = lazy_import("cryptography.hazmat.primitives.asymmetric.rsa")
    ca = lazy_import("kong_mesh_cp.core.identity.ca")

PEM_BYTES_MAX = 1024 * 1024  # a chain of certificates has some KiB, a bundle of authorities 300
CHAIN_TRIED_MAX = 16  # certificates of a chain that are tried for being the key's
CERTIFICATE_SUFFIXES = frozenset({".pem", ".crt"})  # Kuma's, of a folder of certificates
CERTIFICATES_MAX = 1000  # of one folder: they are read again once a minute
RSA_BITS = 2048
RSA_EXPONENT = 65_537
SERIAL_BITS = 127  # positive, and within what the format takes

_MISMATCH = "KEY_VALUES_MISMATCH"
_VERSIONS = {"TLSv1_2": ssl.TLSVersion.TLSv1_2, "TLSv1_3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class Pair:
    """Certificate and key, in PEM. `source` is how errors name the two files."""

    chain: tuple[bytes, ...]  # the server's own certificate, then those of its authorities
    key: bytes = field(repr=False)
    source: str
    remedy: str  # what to do where they are not usable
    chain_name: str = "the certificate"  # how errors name the file with the chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a server asks of its clients."""

    version_min: str = "TLSv1_2"
    version_max: str | None = None
    cipher_suites: tuple[str, ...] = ()  # those of TLS 1.2; none: OpenSSL's choice
    client_authorities: bytes | None = None  # in PEM; a client's certificate must be of one of them
    client_certificate_required: bool = False


def read_pem(
    path: Path, *, setting: str, code: str = "tls-file-unreadable", gives_trust: bool = False
) -> bytes:
    """The file that `setting` names. Raises: ConfigurationError with `code`.

    `gives_trust`: what stands in it decides whom to believe, so not everybody may have written it.
    """
    try:
        content, status = read_regular(path, PEM_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        raise ConfigurationError(
            f"{printable(path)} ({setting}) cannot be read: {reason}",
            code=code,
            hint="Put the PEM file there, readable for the user of the daemon, or correct the "
            "setting.",
        ) from None
    why = distrust(status) if gives_trust else None
    if why is not None:
        raise _untrusted(path, setting, why, code)
    if len(content) > PEM_BYTES_MAX:
        raise ConfigurationError(
            f"{printable(path)} ({setting}) is larger than {PEM_BYTES_MAX // 1024} KiB",
            code=code,
            hint="Put a PEM file there that holds what is needed and no more.",
        )
    return content


def _untrusted(path: Path, setting: str, why: str, code: str) -> ConfigurationError:
    return ConfigurationError(
        f"{printable(path)} ({setting}) {why}, who then could add trust",
        code=code,
        hint="Check what is in it; then give it to root, and let nobody else write it (chmod o-w).",
    )


def read_authorities(path: Path, *, setting: str) -> tuple[bytes, ...]:
    """The certificates in a file that says whom to believe. Raises: ConfigurationError."""
    content = read_pem(path, setting=setting, gives_trust=True)
    remedy = "Put the certificates of the clients' authorities there, in PEM."
    return certificates_in(PemFile(str(path), setting, content, remedy), code="tls-ca-unusable")


def read_certificates(folder: Path, *, setting: str) -> tuple[bytes, ...]:
    """Those in the files of `folder` that are called as certificates. Raises: ConfigurationError.

    They say whom to believe: neither they nor the folder may be open to everybody.
    """
    try:
        why = distrust(folder.stat())
        paths = sorted(path for path in folder.iterdir() if path.suffix in CERTIFICATE_SUFFIXES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        raise ConfigurationError(
            f"{printable(folder)} ({setting}) cannot be read: {reason}",
            code="tls-file-unreadable",
            hint="Make the folder, readable for the user of the daemon, or correct the setting.",
        ) from None
    if why is not None:
        raise _untrusted(folder, setting, why, "tls-file-unreadable")
    if len(paths) > CERTIFICATES_MAX:
        raise ConfigurationError(
            f"{printable(folder)} ({setting}) holds more than {CERTIFICATES_MAX} certificates",
            code="tls-ca-unusable",
            hint="Put the certificate of the clients' authority there in place of theirs.",
        )
    files = [read_authorities(path, setting=setting) for path in paths]
    return tuple(certificate for file in files for certificate in file)


def server_context(pair: Pair, terms: Terms) -> ssl.SSLContext:
    """What a TLS server needs; the protocols to offer (ALPN) are its listener's to set.

    Raises: ConfigurationError that says what does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[terms.version_min]
    if terms.version_max is not None:
        context.maximum_version = _VERSIONS[terms.version_max]
    suites = [SUITES_OF_1_2[name] for name in terms.cipher_suites if name in SUITES_OF_1_2]
    if suites:
        context.set_ciphers(":".join(suites))
    if terms.client_authorities is not None:
        _ask_for_certificates(context, terms.client_authorities)
        if terms.client_certificate_required:
            context.verify_mode = ssl.CERT_REQUIRED
    _load(context, pair)
    return context


def require_certificates(authorities: bytes) -> None:
    """Raises: ConfigurationError `tls-ca-unusable` where there are none in it."""
    _ask_for_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), authorities)


def _ask_for_certificates(context: ssl.SSLContext, authorities: bytes) -> None:
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ConfigurationError(
            "there are no usable certificates in apiServer.https.tlsCaFile or apiServer.auth."
            "clientCertsDir",
            code="tls-ca-unusable",
            hint="Put the certificates of the clients' authorities there, in PEM.",
        ) from None
    # Whose certificate is listed itself needs no authority beside it.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_OPTIONAL


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    reason = _refusal(context, b"".join(pair.chain), pair.key)
    if reason is None:
        return
    if reason != _MISMATCH:
        said = (reason or "no certificate or no key in PEM").replace("_", " ").lower()
        message = f"{pair.source} cannot be used: {said}"
        raise ConfigurationError(message, code="tls-pair-unusable", hint=pair.remedy)
    for number, certificate in enumerate(pair.chain[1:CHAIN_TRIED_MAX], 2):
        if _refusal(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, pair.key) is None:
            raise wrong_order(pair.chain_name, number, len(pair.chain))
    message = f"the certificate and the key of {pair.source} do not belong together"
    raise ConfigurationError(message, code="tls-key-mismatch", hint=pair.remedy)


def _refusal(context: ssl.SSLContext, chain: bytes, key: bytes) -> str | None:
    """OpenSSL's word for why it does not take the two, "" if it has none; None: it took them."""
    # The module only reads files, and these two must be the ones that were read together.
    descriptor = os.memfd_create("tls-pair", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(key + b"\n" + chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=b"")
    except ssl.SSLError as error:
        return error.reason or ""
    except ValueError as error:  # of the module itself
        return printable(str(error))
    finally:
        os.close(descriptor)
    return None


def term_of(certificate: bytes) -> tuple[datetime, datetime] | None:
    """When a certificate in PEM begins and ends; None: what it says cannot be understood."""
    try:
        return ca.term(certificate)
    except ValueError:
        return None


def names_in(certificate: bytes) -> tuple[str, ...]:
    """The hosts and addresses that a certificate in PEM is for. None that can be read: none."""
    try:
        return ca.names_in(certificate)
    except ValueError:
        return ()


def is_no_authority(certificate: bytes) -> bool:
    """Whether a certificate in PEM says that it has signed no other. Raises: ValueError."""
    return ca.is_no_authority(certificate)


def make_pair(names: Sequence[str], *, now: datetime, source: str, remedy: str) -> Pair:
    """A new key, and the certificate that the control plane signs itself. Takes its time."""
    key = rsa.generate_private_key(RSA_EXPONENT, RSA_BITS)
    serial = secrets.randbits(SERIAL_BITS) + 1
    certificate = ca.server_certificate(names, key, serial=serial, now=now)
    return Pair((certificate,), private_key_pem(key), source, remedy)
