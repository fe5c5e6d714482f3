"""What exactly is signed: one spelling of a payload, wrapped so that it can mean nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

LICENSE_TYPE = "application/vnd.kong-mesh-cp.license.v1+json"


def canonical_body(payload: Mapping[str, str]) -> bytes:
    """The RFC 8785 (JCS) form of a flat map of strings, as UTF-8.

    Members are ordered by the UTF-16 code units of their names (section 3.2.3). The escapes of
    section 3.2.2.2 are those that Python's encoder writes when it is not asked for ASCII.
    """
    ordered = dict(sorted(payload.items(), key=lambda member: member[0].encode("utf-16-be")))
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def signed_message(body: bytes, *, payload_type: str = LICENSE_TYPE) -> bytes:
    """The DSSE v1 pre-authentication encoding of `body`: the bytes under the signature.

    Type and lengths are inside, so a signature made for another kind of document never fits.
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def license_id(body: bytes) -> str:
    """What a license is called everywhere: lower-case hex of sha256 over its canonical body.

    The signature would be no name: ECDSA gives another one each time the same license is signed.
    """
    return sha256(body).hexdigest()
