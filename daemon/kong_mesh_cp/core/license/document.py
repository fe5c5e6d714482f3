"""From the bytes of a license document to a `License`, whose existence proves its signature.

The order of the checks decides what an operator sees first: bytes, JSON, format version, shape,
product, values, signature. Nothing of a document is believed before the last of them.
"""

from __future__ import annotations

import re
from dataclasses import field
from datetime import date, datetime

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.license import paste_mistakes
from kong_mesh_cp.core.license.canonical import canonical_body, license_id, signed_message
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Key, KeyPurpose, Keyring, KeyStatus
from kong_mesh_cp.core.license.payload import ISSUED_AS_IS, Payload, malformed, parse_payload

LICENSE_BYTES_MAX = 64 * 1024
FORMAT_VERSION = 1
SIGNATURE_DIGITS_MAX = 144  # the DER of an ECDSA P-256 signature has at most 72 bytes

_ENVELOPE_MEMBERS = {"version", "signature", "payload"}
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SIGNATURE = re.compile(r"(?:[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """An issued license whose signature has been checked. Only `verify` makes one."""

    id: str  # sha256 of the canonical payload, lower-case hex
    customer: str
    product: str
    dataplanes: int  # data plane proxies allowed, over all meshes and zones
    created: date
    expires_at: datetime  # aware, UTC; void from this instant on
    key_last4: str  # last four characters of license_key; the key itself is never kept
    unused_fields: tuple[str, ...]  # signed payload fields that this version does not know
    kid: str  # the key of the keyring that signed it
    purpose: KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """A well-formed document whose signature is not verified yet. Only for showing it."""

    id: str
    payload: Payload
    body: bytes = field(repr=False)  # canonical form
    signature: bytes = field(repr=False)


def verify(document: bytes, keyring: Keyring) -> License:
    """Parse and authenticate a license document, format version 1. The clock is not asked.

    Raises: LicenseRejectedError, whose message names no place (see its `at`), never quotes the
    license key or the signature, and has no cause or context that would hold them.
    """
    unverified = read(document)
    key = _signer(unverified, keyring)
    payload = unverified.payload
    return License(
        id=unverified.id,
        customer=payload.customer,
        product=payload.product,
        dataplanes=payload.dataplanes,
        created=payload.created,
        expires_at=payload.expires_at,
        key_last4=payload.key_last4,
        unused_fields=payload.unused_fields,
        kid=key.kid,
        purpose=key.purpose,
    )


def read(document: bytes) -> Unverified:
    """Parse a license document without asking who signed it. Raises: LicenseRejectedError."""
    envelope = _envelope(_json(document))
    _check_version(envelope)
    if unknown := envelope.keys() - _ENVELOPE_MEMBERS:
        raise malformed(f"license has {len(unknown)} members beside version, signature and payload")
    for name in ("payload", "signature"):
        if name not in envelope:
            raise malformed(f"license has no {name}")
    payload = parse_payload(envelope["payload"])
    body = canonical_body(payload.members)
    return Unverified(
        id=license_id(body),
        payload=payload,
        body=body,
        signature=_signature(envelope["signature"]),
    )


def _json(document: bytes) -> object:
    if len(document) > LICENSE_BYTES_MAX:
        raise LicenseRejectedError(
            Fault.TOO_LARGE,
            f"is larger than {LICENSE_BYTES_MAX} bytes",
            subject="the license",
            hint="A license has a few hundred bytes: check that this is the right file.",
        )
    try:
        return strict_json.parse(document)
    except strict_json.StrictJsonError as error:
        refused = error
    if refused.fault.is_encoding:
        raise LicenseRejectedError(
            Fault.NOT_UTF8,
            f"is not plain UTF-8 text: {refused.message}",
            subject="the license",
            hint="Save it as UTF-8 without a byte order mark, or copy it again as a binary file.",
        )
    slip = paste_mistakes.hint_for(None, document.decode("utf-8", "replace"))
    raise LicenseRejectedError(
        Fault.NOT_JSON,
        f"is not JSON as it has to be: {refused.message}",
        subject="the license",
        hint=slip or ISSUED_AS_IS,
    )


def _envelope(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise malformed("it is JSON, but not an object")
    if "license" not in value:
        hint = ISSUED_AS_IS
        if value.keys() >= {"apiVersion", "kind"}:
            hint = paste_mistakes.MANIFEST
        if value.keys() >= {"payload", "signature"}:
            hint = 'Put it into an outer object: {"license": …}.'
        raise malformed("it has no member named license", hint=hint)
    if len(value) > 1:
        raise malformed("it has members beside license")
    envelope = value["license"]
    if not isinstance(envelope, dict):
        raise malformed("license is not an object")
    return envelope


def _check_version(envelope: dict[str, object]) -> None:
    match envelope.get("version"):
        case bool():
            number = 0
        case int() as number:
            pass
        case str() as text if _VERSION.fullmatch(text):
            number = int(text)
        case _:
            number = 0
    if number > FORMAT_VERSION:
        raise LicenseRejectedError(
            Fault.NEWER_FORMAT,
            f"is made for a newer release: its format version is {number},"
            f" this release reads version {FORMAT_VERSION}",
            subject="the license",
            hint="Upgrade kong-mesh-cp, or ask the vendor for a license of format version 1.",
        )
    if number != FORMAT_VERSION:
        raise malformed("license.version is missing or not 1")


def _signature(value: object) -> bytes:
    if not isinstance(value, str):
        raise malformed("license.signature is not a string")
    if len(value) > SIGNATURE_DIGITS_MAX:
        raise malformed(f"license.signature has more than {SIGNATURE_DIGITS_MAX} digits")
    if not _SIGNATURE.fullmatch(value):
        if _SIGNATURE.fullmatch(value.lower()) and value.isascii():
            raise malformed(
                "license.signature has upper-case digits",
                hint="Write the signature in lower case, as it was issued.",
            )
        raise malformed("license.signature is not made of pairs of hex digits")
    return bytes.fromhex(value)


def _signer(unverified: Unverified, keyring: Keyring) -> Key:
    """The active key that signed. The file names no key, so a refusal says what can be known."""
    key = keyring.signer(unverified.signature, signed_message(unverified.body))
    if key is not None and key.status is KeyStatus.ACTIVE:
        return key
    if key is not None:
        raise LicenseRejectedError(
            Fault.UNKNOWN_KEY,
            f"is signed by the key {key.kid}, which is retired",
            subject="the license",
            hint="Ask the vendor to issue it again with a key that is in use.",
        )
    if not keyring.active:
        raise LicenseRejectedError(
            Fault.UNKNOWN_KEY,
            "cannot be verified: no vendor key is trusted here",
            subject="the license",
            hint="Install a package that its vendor built with a keyring, or name the vendor's"
            " keyring on the command line: --license-keyring FILE.",
        )
    kids = ", ".join(active.kid for active in keyring.active)
    raise LicenseRejectedError(
        Fault.BAD_SIGNATURE,
        "carries no signature of a trusted key over what it says",
        subject="the license",
        hint=f"{ISSUED_AS_IS} If nothing was changed, it comes from another vendor: trusted here"
        f" is {kids}.",
    )
