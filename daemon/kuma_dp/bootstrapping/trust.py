"""Whether the one that answers is the control plane: docs/adr/0026-kuma-dp.md has the reasons."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.options import GIVEN_BYTES_MAX
from kumactl import key_files
from kumactl.errors import UsageError

PORT_DEFAULT: Final = 443  # of a URL that names none
_CA_HINT: Final = (
    "Give --ca-cert-file with the authority of the control plane: kuma-cp.crt of its state"
    " directory, unless it has a certificate of yours."
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the control plane serves proxies."""

    host: str  # a name or an address, without brackets
    port: int

    @property
    def text(self) -> str:
        return join_host_port(self.host, self.port)

    @property
    def is_here(self) -> bool:
        """Whether it is this very machine, whose network nobody stands in between."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Trust:
    """How the control plane's certificate is looked at."""

    context: ssl.SSLContext
    authority: str  # in PEM, for Envoy to use too; "" leaves it to the control plane
    verified: bool


def address_of(url: str) -> Address:
    """The address in `--cp-address`. Raises: NotMendedByWaitingError `cp-address-unusable`."""
    parts, host, port = urlsplit(""), "", PORT_DEFAULT
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORT_DEFAULT
        host.encode("idna")  # as it is looked up: no part of it is empty or too long
    except ValueError:
        host = ""
    is_https = parts.scheme == "https"
    if is_https and host and url.isascii() and url.isprintable() and " " not in url:
        return Address(host, port)
    reason = (
        "has no host and port that there can be"
        if is_https
        else "is no https URL; the server for proxies speaks nothing but TLS"
    )
    raise NotMendedByWaitingError(
        f"--cp-address {printable(url)!r} {reason}",
        code="cp-address-unusable",
        hint="Give one such as https://localhost:5678.",
    )


def authority_of(pem: str, path: str) -> str:
    """The authority that was given, "" for none; the text itself wins over the file. Only ASCII.

    Raises: NotMendedByWaitingError `ca-cert-unusable`.
    """
    content = pem.encode("ascii", "ignore")
    if path and not pem:
        try:
            content = key_files.read(Path(path), bytes_max=GIVEN_BYTES_MAX)
        except UsageError as error:
            raise _unusable(error.message) from None
    # Certificates are ASCII; the comments between them name their owners in any language.
    return content.decode("ascii", "ignore")


def trust(address: Address, authority: str, *, skip_verify: bool) -> Trust:
    """How to look at the certificate of `address`.

    With an authority it has to be of that one, and for that host. Without, it has to be of one that
    the machine trusts; on the machine itself it is not looked at. Raises: NotMendedByWaitingError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if skip_verify or (address.is_here and not authority):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return Trust(context, authority, verified=False)
    if not authority:
        context.load_default_certs()
        return Trust(context, "", verified=True)
    # The authority that is given is trusted as it is, whoever has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise _unusable("what is given as authority of the control plane holds no PEM") from None
    return Trust(context, authority, verified=True)


def distrusted(error: ssl.SSLCertVerificationError, address: Address) -> NotMendedByWaitingError:
    """Why the certificate of `address` is not taken."""
    said = printable(error.verify_message).rstrip(".")
    if "mismatch" in said.lower():
        return NotMendedByWaitingError(
            f"the certificate of {address.text} is not for this name: {said}",
            code="control-plane-name-mismatch",
            hint="Use a name in --cp-address that its certificate is for, or give the control plane"
            " a certificate for this one.",
        )
    return NotMendedByWaitingError(
        f"the certificate of {address.text} is not trusted: {said}",
        code="control-plane-not-trusted",
        hint=_CA_HINT,
    )


def _unusable(message: str) -> NotMendedByWaitingError:
    return NotMendedByWaitingError(message, code="ca-cert-unusable", hint=_CA_HINT)
