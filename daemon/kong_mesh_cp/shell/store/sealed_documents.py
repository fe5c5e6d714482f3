"""The form in which a secret lies in a store: a JSON object with the sealed text as its one member.

The text names the key that has sealed it, so that much is known without opening anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from kong_mesh_cp.core.identity.secrets_at_rest import is_sealed, sealing_key_id
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.ports.resource_store import Change, Put

SEALED_TYPES: Final = ("GlobalSecret", "Secret")
# Of a stored document: as much as it takes to find the id of the key in it.
HEAD_CHARACTERS: Final = 64

_SEALED: Final = "sealed"
_HEAD: Final = f'{{"{_SEALED}": "'

# What becomes of one document, of the same length; None: it stays as it is.
Rewrite = Callable[[ResourceKey, str], str | None]


class SealedRows(Protocol):
    """The documents of secrets as they lie in a store. All methods raise StateError."""

    async def reseal(self, key_id: str, rewrite: Rewrite) -> int:
        """Let the key `key_id` be the one that seals here, and put every secret in the form that
        `rewrite` gives it, in one transaction. How many were rewritten.

        Nothing else of them changes, and no change is reported: they say what they said before.
        `rewrite` runs in a thread. Raises: ControlPlaneError `secret-key-shared` where somebody
        else uses the store, who may not have that key.
        """
        ...

    async def sealed_by(self) -> Mapping[str, int]:
        """How many secrets each key has sealed, by its id."""
        ...


def document_of(sealed: str) -> str:
    """What lies in the store for a sealed text."""
    return json.dumps({_SEALED: sealed})


def sealed_text(key: ResourceKey, spec: str) -> str | None:
    """The sealed text of a document; None for one that is not sealed."""
    if key.type not in SEALED_TYPES:
        return None
    text = json.loads(spec).get(_SEALED)
    return text if isinstance(text, str) and is_sealed(text) else None


def key_id_of(change: Change) -> str:
    """The id of the key that has sealed what `change` puts; "" where nothing is sealed."""
    if not isinstance(change, Put) or change.key.type not in SEALED_TYPES:
        return ""
    return _key_id(change.spec)


def counted_by_key(heads: Iterable[str]) -> Mapping[str, int]:
    """How many documents each key has sealed, from their first HEAD_CHARACTERS."""
    counts: dict[str, int] = {}
    for head in heads:
        key_id = _key_id(head)
        if key_id:
            counts[key_id] = counts.get(key_id, 0) + 1
    return counts


def _key_id(head: str) -> str:
    return sealing_key_id(head.removeprefix(_HEAD)) if head.startswith(_HEAD) else ""
