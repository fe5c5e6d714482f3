"""Under which names the keys and revocations of tokens are kept.

The keys of one kind of token form a series: `user-token-signing-key-1`, `…-2`. The number is the
`kid` of the tokens; the highest one signs. Rotation adds a key, and later takes the old one out.

Source: docs/wire/tokens.md#signing-keys, docs/wire/tokens.md#revocation
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.refusals import SigningKeyNotFoundError
from kong_mesh_cp.core.identity.rsa_keys import RsaVerifier, public_key_of
from kong_mesh_cp.core.meshes.mesh_defaults import dataplane_signing_key
from kong_mesh_cp.core.resources.key import ResourceKey

SECRET: Final = "Secret"  # noqa: S105 (a type of resource)
GLOBAL_SECRET: Final = "GlobalSecret"  # noqa: S105 (a type of resource)
ADMIN_USER_TOKEN: Final = ResourceKey(GLOBAL_SECRET, "", "admin-user-token")
FIRST_SERIAL: Final = 1

SERIAL_MAX: Final = 10**18 - 1  # of keys that are found
# Of keys that clients write: whatever they choose (a time in microseconds, say), there is a next
# number for every rotation to come.
WRITTEN_SERIAL_MAX: Final = 10**16 - 1

# As the number is printed: from the `kid` 1 the key could not be found as `…-01`.
_SERIAL: Final = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySeries:
    """The signing keys of one kind of token. `mesh` is "" where they are global secrets."""

    prefix: str  # of the names, up to the hyphen before the number
    public_prefix: str = ""  # likewise, of copies that hold the public key only
    mesh: str = ""
    revocations: tuple[ResourceKey, ...]  # each may hold ids of tokens that are void

    @property
    def type(self) -> str:
        return SECRET if self.mesh else GLOBAL_SECRET

    @property
    def legacy_key(self) -> ResourceKey:
        """The secret of HS256 tokens: the one without a number."""
        return ResourceKey(self.type, self.mesh, self.prefix)

    def key(self, serial: int) -> ResourceKey:
        return ResourceKey(self.type, self.mesh, f"{self.prefix}-{serial}")

    def keys_of(self, kid: str) -> tuple[ResourceKey, ...]:
        """Where a key that tokens call `kid` may be; none for an id that is no number."""
        if not _SERIAL.fullmatch(kid):
            return ()
        prefixes = [prefix for prefix in (self.prefix, self.public_prefix) if prefix]
        return tuple(ResourceKey(self.type, self.mesh, f"{prefix}-{kid}") for prefix in prefixes)

    def serials(self, names: Iterable[str]) -> Sequence[int]:
        """The numbers among the secrets `names`, rising. Other names belong to other secrets."""
        found = []
        for name in names:
            prefix, _, serial = name.rpartition("-")
            if prefix == self.prefix and _SERIAL.fullmatch(serial):
                found.append(int(serial))
        return sorted(found)

    def missing(self, kid: str) -> SigningKeyNotFoundError:
        """What is said when there is no key `kid`."""
        name = go_quote(f"{self.prefix}-{kid}")
        where = f" in mesh {go_quote(self.mesh)}" if self.mesh else ""
        return SigningKeyNotFoundError(
            f"there is no signing key with KID {kid}. {self.type} of name {name}{where} is not "
            "found. If signing key was rotated, regenerate the token"
        )


def _global_series(kind: str, *, public_prefix: str = "") -> KeySeries:
    return KeySeries(
        prefix=f"{kind}-token-signing-key",
        public_prefix=public_prefix,
        revocations=(ResourceKey(GLOBAL_SECRET, "", f"{kind}-token-revocations"),),
    )


USER_KEYS: Final = _global_series("user")
# A zone's control plane gets the public halves from the global one.
ZONE_KEYS: Final = _global_series("zone", public_prefix="zone-token-signing-public-key")


# By the kind of token; those of proxies belong to their mesh.
GLOBAL_SERIES: Final[Mapping[str, KeySeries]] = {"user": USER_KEYS, "zone": ZONE_KEYS}


def dataplane_keys(mesh: str) -> KeySeries:
    """The keys for proxies of `mesh`. Revocations are read from the mesh, where the documentation
    puts them, and beside all meshes, where the control plane that this one replaces looks.
    """
    revocations = f"dataplane-token-revocations-{mesh}"
    return KeySeries(
        prefix=dataplane_signing_key(mesh, FIRST_SERIAL).removesuffix(f"-{FIRST_SERIAL}"),
        mesh=mesh,
        revocations=(
            ResourceKey(SECRET, mesh, revocations),
            ResourceKey(GLOBAL_SECRET, "", revocations),
        ),
    )


# What people put between the items of a list, and around them: lines, blanks, semicolons, JSON.
_BETWEEN: Final = re.compile(r"""[\s,;"'\[\]\ufeff]+""")
_OTHER_FORM: Final = re.compile(r"""[\s;"'\[\]\ufeff]""")


def revoked_ids(data: bytes) -> frozenset[str]:
    """The ids in the content of a secret of revocations: between commas, compared exactly.

    A list of another form (a line for each, blanks, semicolons, JSON) is read as well. Whoever
    writes it means these tokens to be void, and would not see that they are not.
    """
    text = data.decode("utf-8", "replace").removesuffix("\n")
    exact = frozenset(text.split(","))
    if _OTHER_FORM.search(text) is not None:
        exact |= frozenset(_BETWEEN.split(text))
    return exact - {""}


def with_revoked(data: bytes, token_id: str) -> bytes:
    """`data` with one more id. Raises: ValueError for an id that a list cannot hold."""
    if not token_id or "," in token_id or not token_id.isprintable():
        raise ValueError("the id of a token is a text without commas and line breaks")
    if token_id in revoked_ids(data):
        return data
    listed = data.removesuffix(b"\n")
    return (listed + b"," if listed else b"") + token_id.encode()


@dataclass(frozen=True, slots=True)
class OfflineKeys:
    """Public keys of issuers elsewhere, from the configuration: by mesh ("" for all) and kid."""

    _keys: Mapping[tuple[str, str], RsaVerifier] = field(default_factory=dict)

    @classmethod
    def parse(cls, settings: Iterable[tuple[str, str, bytes]]) -> OfflineKeys:
        """From rows of mesh, kid and PEM. Raises: SigningKeyError; ValueError for a row twice."""
        keys: dict[tuple[str, str], RsaVerifier] = {}
        for mesh, kid, pem in settings:
            if (mesh, kid) in keys:
                raise ValueError(f"the public key {go_quote(kid)} is there twice")
            keys[mesh, kid] = public_key_of(pem)
        return cls(keys)

    def find(self, kid: str, *, mesh: str = "") -> Sequence[RsaVerifier]:
        """Keys that tokens for `mesh` may be signed with."""
        ids = dict.fromkeys([(mesh, kid), ("", kid)])
        return tuple(self._keys[each] for each in ids if each in self._keys)
