"""The payload of a license: which fields it has and what their values may look like.

Shared by the verifier and the vendor's tool, so that nothing is ever signed that would be refused.
Everything is matched as ASCII text first: `int()` also takes `5_0`, ` 5` and Arabic digits, and
`strptime` is as generous with dates.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import field
from datetime import UTC, date, datetime

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.quoted_text import quoted

PRODUCT = "Kong Mesh"
FIELDS_MAX = 64
VALUE_BYTES_MAX = 1024
KEY_SHOWN_CHARACTERS = 4
KEY_CHARACTERS_MIN_TO_SHOW = 12  # of a shorter key the last four characters are too much of it

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DATAPLANES = re.compile(r"[1-9][0-9]{0,6}")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
# Unicode's Bidi_Control: they make a name read differently from what it is.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Zl and Zp break lines like controls

CUSTOMER = "customer"
CREATED = "license_creation_date"
PRODUCT_FIELD = "product_subscription"
DATAPLANES = "dataplanes"
EXPIRES = "license_expiration_date"
LICENSE_KEY = "license_key"
KNOWN_FIELDS = (CUSTOMER, CREATED, PRODUCT_FIELD, DATAPLANES, EXPIRES, LICENSE_KEY)

ISSUED_AS_IS = "Use the license exactly as it was issued."


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a payload says. Its signature is not verified yet."""

    customer: str
    product: str
    dataplanes: int
    created: date
    expires_at: datetime  # aware, UTC
    key_last4: str  # empty when the key is too short to show a part of it
    unused_fields: tuple[str, ...]  # in alphabetical order
    members: dict[str, str] = field(repr=False)  # every field as it stands: what is signed


def parse_payload(value: object) -> Payload:
    """Take `license.payload` of a document apart. Raises: LicenseRejectedError, without a place."""
    members = _members(value)
    product = _required(members, PRODUCT_FIELD)
    # Before the other fields: a license for another product may well lack them.
    if product != PRODUCT:
        raise LicenseRejectedError(
            Fault.WRONG_PRODUCT,
            f"is for another product ({quoted(product)}), not for {PRODUCT!r}",
            subject="the license",
            hint=f"Use a license whose {PRODUCT_FIELD} is {PRODUCT!r}.",
        )
    created = _day(members, CREATED)
    expires = _day(members, EXPIRES)
    if expires < created:
        raise malformed(f"{EXPIRES} {expires} is before {CREATED} {created}")
    key = _required(members, LICENSE_KEY)
    return Payload(
        customer=_required(members, CUSTOMER),
        product=product,
        dataplanes=_dataplanes(members),
        created=created,
        expires_at=datetime(expires.year, expires.month, expires.day, tzinfo=UTC),
        key_last4=key[-KEY_SHOWN_CHARACTERS:] if len(key) >= KEY_CHARACTERS_MIN_TO_SHOW else "",
        unused_fields=tuple(sorted(members.keys() - set(KNOWN_FIELDS))),
        members=members,
    )


def malformed(problem: str, *, hint: str = ISSUED_AS_IS) -> LicenseRejectedError:
    """A document of the right format that does not keep to it."""
    return LicenseRejectedError(
        Fault.MALFORMED, f"is malformed: {problem}", subject="the license", hint=hint
    )


def _members(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise malformed("license.payload is not an object")
    if len(value) > FIELDS_MAX:
        raise malformed(f"license.payload has more than {FIELDS_MAX} fields")
    members: dict[str, str] = {}
    for number, (name, text) in enumerate(value.items(), start=1):
        if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
            raise malformed(
                f"the name of field {number} of license.payload is not made of a-z, 0-9 and _"
            )
        if not isinstance(text, str):
            raise malformed(
                f"{name} is not a string",
                hint="Every value of license.payload is a string; numbers stand between quotes.",
            )
        if problem := _text_problem(text):
            raise malformed(f"{name} {problem}")
        members[name] = text
    return members


def _text_problem(text: str) -> str | None:
    """What forbids `text` as a value, in words that quote none of it."""
    if text.isascii():
        # Most values: no decomposition, no direction, one byte each.
        if len(text) > VALUE_BYTES_MAX:
            return f"is longer than {VALUE_BYTES_MAX} bytes"
        return None if text.isprintable() else "holds a control character"
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in text):
        return "holds a control character or half of a character"
    if len(text.encode()) > VALUE_BYTES_MAX:
        return f"is longer than {VALUE_BYTES_MAX} bytes"
    if _BIDI.search(text):
        return "holds a character that changes the direction of writing"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode normalization form C"
    return None


def _required(members: dict[str, str], name: str) -> str:
    if name not in members:
        raise malformed(f"license.payload has no {name}")
    text = members[name]
    if not text.strip():
        raise malformed(f"{name} is empty")
    return text


def _dataplanes(members: dict[str, str]) -> int:
    text = _required(members, DATAPLANES)
    if not _DATAPLANES.fullmatch(text):
        raise malformed(
            f"{DATAPLANES} is {quoted(text)}, not a whole number from 1 to 9999999 in plain digits"
        )
    return int(text)


def _day(members: dict[str, str], name: str) -> date:
    text = _required(members, name)
    if match := _DATE.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
        try:
            return date(year, month, day)
        except ValueError:
            problem = "no day of the calendar"
    else:
        problem = "not a date like 2032-11-09"
    raise malformed(f"{name} is {quoted(text)}, {problem}")
