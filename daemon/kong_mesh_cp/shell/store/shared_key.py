"""The sealing key of a shared store: all control planes on it need the same one.

The database knows the id of the key that seals in it, from the first start on. A control plane that
has not got that key may not start: what it sealed no other could open, nor it what others have
sealed.
"""

from __future__ import annotations

from pathlib import Path

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.identity.secrets_at_rest import SecretKeyError, SecretKeys
from kong_mesh_cp.shell.store.secret_key import KEY_NAME


def sealing_with(keys: SecretKeys | None, key_id: str, state_directory: Path) -> SecretKeys:
    """`keys` with the key `key_id` in use, wherever it stands among them.

    A key that comes before it in the file waits until the store is made to seal with it.
    Raises: SecretKeyError `secret-key-missing`, `secret-key-mismatch`.
    """
    path = printable(state_directory / KEY_NAME)
    remedy = (
        f"Copy {KEY_NAME} from the state directory of a control plane that runs on this database "
        f"to {path}, or hand it over as the credential {KEY_NAME}."
    )
    if keys is None:
        raise SecretKeyError(
            f"secrets in this database are sealed with the key {key_id}, and this control plane "
            "has no key",
            code="secret-key-missing",
            hint=remedy,
        )
    for key in keys.keys:
        if key.id == key_id:
            return SecretKeys((key, *(other for other in keys.keys if other != key)))
    there = ", ".join(key.id for key in keys.keys)
    raise SecretKeyError(
        f"secrets in this database are sealed with the key {key_id}, and this control plane has "
        f"another one ({there})",
        code="secret-key-mismatch",
        hint=remedy,
    )
