"""Which objects a PEM text holds (RFC 7468, RFC 1421), and what a file is that is none.

Only the form is looked at: whether a block holds what its label says is for who uses it. These are
blocks of files that OpenSSL reads; `core/meshes/pem_blocks` reads what clients write, as Go does.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

LABEL_CHARACTERS_MAX: Final = 64
CERTIFICATES: Final = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_RULE: Final = b"-----"
_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8, as editors on Windows put it before a text
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_KEY_STORE: Final = b"\xfe\xed\xfe\xed"  # of Java
_SEQUENCE: Final = 0x30  # the first byte of every certificate and key in DER


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One object of a PEM text. `text` is the whole block, with a line break at its end."""

    label: str
    text: bytes

    @property
    def is_certificate(self) -> bool:
        return self.label in CERTIFICATES

    @property
    def is_private_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY") and not self.label.startswith("OPENSSH")

    @property
    def is_encrypted(self) -> bool:
        return self.label.startswith("ENCRYPTED") or b"\nProc-Type: 4,ENCRYPTED" in self.text

    @property
    def is_sound(self) -> bool:
        """Whether its body is base64."""
        body = self.text.partition(b"\n")[2]
        if b":" in body:  # headers as in RFC 1421 stand before an empty line
            body = body.partition(b"\n\n")[2]
        try:
            written = b"".join(body.rpartition(_END)[0].split())
            return bool(binascii.a2b_base64(written, strict_mode=True))
        except binascii.Error:
            return False


def pem_blocks(content: bytes) -> tuple[PemBlock, ...]:
    """In their order. What stands between them is left out, and so is a block without an end."""
    return tuple(_blocks(content.removeprefix(_MARK)))


def _blocks(content: bytes) -> Iterator[PemBlock]:
    label, lines = b"", list[bytes]()
    for line in content.splitlines():
        written = line.rstrip()
        if written.startswith(_BEGIN) and written.endswith(_RULE):
            label, lines = written[len(_BEGIN) : -len(_RULE)], [written]
        elif lines:
            lines.append(written)
            if written == _END + label + _RULE:
                name = label[:LABEL_CHARACTERS_MAX].decode("ascii", "replace")
                yield PemBlock(name, b"\n".join(lines) + b"\n")
                lines = []


def binary_form(content: bytes) -> str | None:
    """What a file is that is no PEM text, as far as its first bytes tell; None: they do not.

    One of `der-certificate`, `der-key`, `pkcs12`, `pkcs7`, `jks`, `utf-16`.
    """
    if content.startswith(_UTF_16):
        return "utf-16"
    if content.startswith(_KEY_STORE):
        return "jks"
    inside = _inside_sequence(content)
    if inside is None:
        return None
    if inside.startswith(b"\x02\x01\x03"):  # the version of RFC 7292
        return "pkcs12"
    if inside.startswith(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"):  # RFC 2315
        return "pkcs7"
    if inside[:1] == b"\x02":  # versions of RFC 5958, RFC 8017, RFC 5915
        return "der-key"
    # An encrypted key begins with the name of its cipher: an object identifier, RFC 5958.
    named = _inside_sequence(inside) or b""
    return "der-key" if named[:1] == b"\x06" else "der-certificate"


def _inside_sequence(content: bytes) -> bytes | None:
    """The beginning of what a sequence of DER holds; None: it is none."""
    if len(content) < 4 or content[0] != _SEQUENCE:
        return None
    length = content[1]
    skipped = 2 + (length & 0x7F if length & 0x80 else 0)
    return content[skipped : skipped + 32] if skipped <= 6 else None
