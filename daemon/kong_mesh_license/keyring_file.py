"""Keyring files: entries are added and retired, never silently dropped."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

from kong_mesh_cp.core.license.keyring import Key, KeyPurpose, Keyring, KeyStatus
from kong_mesh_license import files
from kong_mesh_license.errors import VendorToolError
from kong_mesh_license.keys import spki_of_public_pem


def load(path: Path, *, may_be_new: bool = False) -> Keyring:
    """Raises: ConfigurationError or VendorToolError naming the file."""
    if may_be_new and not path.exists():
        return Keyring()
    found = files.find(path, "keyring")
    if found.is_changed_by_others:
        raise VendorToolError(
            f"the keyring {path} may be written by others than you, who then could add trust",
            code="keyring-exposed",
            hint="Check what is in it, give it to you, and run: chmod o-w on it.",
        )
    return Keyring.parse(found.content, source=str(path))


def add(path: Path, public_pem: bytes, *, purpose: KeyPurpose, comment: str) -> Key:
    """Trust one more key; a missing file is made. Raises: VendorToolError `keyring-refused`."""
    spki = spki_of_public_pem(public_pem)
    ring = load(path, may_be_new=True)
    try:
        key = Key.from_spki(spki, purpose=purpose, comment=comment)
        grown = Keyring.of([*ring.keys, key])
    except ValueError as error:
        raise VendorToolError(
            f"the keyring {path} does not take this key: it {error}",
            code="keyring-refused",
            hint="See what is in it with: kong-mesh-license keyring list FILE.",
        ) from None
    _save(path, grown)
    return key


def retire(path: Path, kid: str) -> Key:
    """Stop trusting a key, but keep it, so that refusals can name it. Raises: VendorToolError."""
    ring = load(path)
    for index, key in enumerate(ring.keys):
        if key.kid == kid:
            retired = replace(key, status=KeyStatus.RETIRED)
            _save(path, Keyring.of([*ring.keys[:index], retired, *ring.keys[index + 1 :]]))
            return retired
    raise VendorToolError(
        f"the keyring {path} has no such key",
        code="key-not-found",
        hint="See what is in it with: kong-mesh-license keyring list FILE.",
    )


def _save(path: Path, ring: Keyring) -> None:
    entries = [
        {
            "kid": key.kid,
            "spki": base64.b64encode(key.spki).decode(),
            "purpose": key.purpose.value,
            "status": key.status.value,
            "comment": key.comment,
        }
        for key in ring.keys
    ]
    content = json.dumps(entries, indent=2, ensure_ascii=False).encode() + b"\n"
    Keyring.parse(content, source=str(path))  # what the daemon could not read is never written
    files.replace(path, content, mode=files.PUBLIC_MODE)
