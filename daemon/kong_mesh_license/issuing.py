"""Makes a license document, and proves it with the daemon's own verifier before giving it out."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from kong_mesh_cp.core.license.canonical import canonical_body, signed_message
from kong_mesh_cp.core.license.document import FORMAT_VERSION, License, verify
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Key, KeyPurpose, Keyring
from kong_mesh_cp.core.license.payload import (
    CREATED,
    CUSTOMER,
    DATAPLANES,
    EXPIRES,
    KNOWN_FIELDS,
    LICENSE_KEY,
    PRODUCT,
    PRODUCT_FIELD,
    parse_payload,
)
from kong_mesh_license.errors import VendorToolError
from kong_mesh_license.keys import SigningKey

LICENSE_KEY_BYTES = 20  # 160 random bits, 40 hex digits


def new_license_key() -> str:
    """A license key that cannot be guessed. It is a name for support, not a password."""
    return secrets.token_hex(LICENSE_KEY_BYTES)


def payload(
    *,
    customer: str,
    dataplanes: str,
    created: str,
    expires: str,
    license_key: str,
    others: Mapping[str, str],
) -> dict[str, str]:
    """The fields in the order of the product's documentation. Nothing is checked yet.

    Raises: VendorToolError when one of `others` is a field that has an option of its own.
    """
    if taken := sorted(others.keys() & set(KNOWN_FIELDS)):
        raise VendorToolError(
            f"--field {taken[0]} would change a field that has its own meaning",
            code="field-taken",
            hint="Use the option of that field.",
        )
    return {
        CUSTOMER: customer,
        CREATED: created,
        PRODUCT_FIELD: PRODUCT,
        DATAPLANES: dataplanes,
        EXPIRES: expires,
        LICENSE_KEY: license_key,
        **others,
    }


def issue(fields: Mapping[str, str], key: SigningKey) -> tuple[bytes, License]:
    """A signed document and what a daemon that trusts `key` reads in it.

    Raises: VendorToolError, with the verifier's code, for fields that the verifier would refuse;
    nothing is signed then.
    """
    try:
        parsed = parse_payload(dict(fields))
    except LicenseRejectedError as error:
        raise VendorToolError(
            error.message, code=error.code, hint="Correct the field; nothing was signed."
        ) from None
    signature = key.sign(signed_message(canonical_body(parsed.members)))
    license_ = {"version": FORMAT_VERSION, "signature": signature.hex(), "payload": parsed.members}
    document = json.dumps({"license": license_}, ensure_ascii=False, indent=2).encode() + b"\n"
    trusted = Keyring.of([Key.from_spki(key.spki, purpose=KeyPurpose.ISSUED)])
    return document, verify(document, trusted)
