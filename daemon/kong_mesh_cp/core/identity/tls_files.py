"""What an operator put into the files of a certificate and its key, judged before it is used.

Clients are shown the certificates in the order of the file, so the server's own comes first: RFC
8446 section 4.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.identity.pem_text import PemBlock, binary_form, pem_blocks

_FOUND: Final = {  # by label: what people put there in place of a certificate or a key
    "CERTIFICATE REQUEST": "a request for a certificate: put there what the authority sent back",
    "NEW CERTIFICATE REQUEST": "a request for a certificate: put there what the authority sent "
    "back",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "OPENSSH PRIVATE KEY": "a key of OpenSSH: convert a copy of it with ssh-keygen -p -m PEM",
    "PKCS7": "PKCS #7: convert it with openssl pkcs7 -print_certs",
    "X509 CRL": "a list of revoked certificates",
}
_CONVERSIONS: Final = {  # by binary form
    "der-certificate": ("a certificate in DER", "openssl x509 -inform der -in {0} -out {0}.pem"),
    "der-key": ("a key in DER", "openssl pkey -inform der -in {0} -out {0}.pem"),
    "pkcs12": (
        "PKCS #12",
        "openssl pkcs12 -in {0} -nodes -out {0}.pem",
    ),
    "pkcs7": ("PKCS #7 in DER", "openssl pkcs7 -inform der -print_certs -in {0} -out {0}.pem"),
    "jks": (
        "a key store of Java",
        "keytool -importkeystore -srckeystore {0} -destkeystore {0}.p12 -deststoretype pkcs12",
    ),
    "utf-16": ("text in UTF-16", "iconv -f UTF-16 -t ASCII {0} > {0}.pem"),
}


@dataclass(frozen=True, slots=True)
class PemFile:
    """A file that was read, the setting that names it, and what to do where it is not usable."""

    path: str
    setting: str
    content: bytes
    remedy: str

    @property
    def name(self) -> str:
        return f"{printable(self.path)} ({self.setting})"


def chain_and_key(certificate: PemFile, key: PemFile) -> tuple[tuple[bytes, ...], bytes]:
    """The certificates and the key, in PEM. Both may lie in one file.

    Raises: ConfigurationError that says which file holds what in place of it.
    """
    chain, keys = pem_blocks(certificate.content), pem_blocks(key.content)
    neither = not _holds_certificate(chain) and not _holds_key(keys)
    if neither and _holds_key(chain) and _holds_certificate(keys):
        raise ConfigurationError(
            f"{certificate.name} holds a private key and {key.name} a certificate: the two are "
            "swapped",
            code="tls-files-swapped",
            hint=f"Swap the values of {certificate.setting} and {key.setting}, or what the files "
            "hold.",
        )
    return certificates_in(certificate), _key_in(key, keys)


def certificates_in(file: PemFile, *, code: str = "tls-pair-unusable") -> tuple[bytes, ...]:
    """All of a file, one at least. Raises: ConfigurationError, with `code` if there is none."""
    blocks = pem_blocks(file.content)
    found = [block for block in blocks if block.is_certificate]
    if not found:
        raise _holds_none(file, blocks, "certificate", code)
    for number, block in enumerate(found, 1):
        if not block.is_sound:
            raise _damaged(file, f"certificate {number} of {len(found)}", code)
    return tuple(block.text for block in found)


def wrong_order(name: str, number: int, total: int) -> ConfigurationError:
    """That in the file called `name` the certificate of the key is not the first one."""
    return ConfigurationError(
        f"{name} holds the certificate of the key as number {number} of {total}: the chain is in "
        "the wrong order",
        code="tls-chain-order",
        hint="Put the server's own certificate first, then the authority that has signed it, and "
        "so on; the root comes last, or not at all.",
    )


def _key_in(file: PemFile, blocks: Sequence[PemBlock]) -> bytes:
    found = [block for block in blocks if block.is_private_key]
    if not found:
        raise _holds_none(file, blocks, "private key", "tls-pair-unusable")
    key = found[0]
    if key.is_encrypted:
        path = printable(file.path)
        raise ConfigurationError(
            f"the key in {file.name} is encrypted, and nobody is there to type its password",
            code="tls-key-encrypted",
            hint=f"Decrypt it: openssl pkey -in {path} -out {path}.new, and put that in its place.",
        )
    if not key.is_sound:
        raise _damaged(file, "the key", "tls-pair-unusable")
    return key.text


def _holds_key(blocks: Sequence[PemBlock]) -> bool:
    return any(block.is_private_key for block in blocks)


def _holds_certificate(blocks: Sequence[PemBlock]) -> bool:
    return any(block.is_certificate for block in blocks)


def _holds_none(
    file: PemFile, blocks: Sequence[PemBlock], wanted: str, code: str
) -> ConfigurationError:
    form = None if blocks else binary_form(file.content)
    if form is not None:
        what, command = _CONVERSIONS[form]
        return ConfigurationError(
            f"{file.name} is {what}, and a {wanted} in PEM is wanted",
            code="tls-not-pem",
            hint=f"Convert it: {command.format(printable(file.path))}, and name that file.",
        )
    if not file.content.strip():
        what = "is empty"
    elif blocks:
        what = f"holds {_named(blocks)}, and no {wanted}"
    else:
        what = f"holds no {wanted} in PEM"
    return ConfigurationError(f"{file.name} {what}", code=code, hint=file.remedy)


def _named(blocks: Sequence[PemBlock]) -> str:
    first = blocks[0]
    if first.is_certificate:
        return "a certificate"
    if first.is_private_key:
        return "a private key"
    return _FOUND.get(first.label, f"a block {printable(first.label)!r}")


def _damaged(file: PemFile, what: str, code: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} in {file.name} is damaged: it is no base64", code=code, hint=file.remedy
    )
