"""The public keys whose signatures on licenses are believed."""

from __future__ import annotations

from enum import StrEnum


class KeyPurpose(StrEnum):
    """What a key signs: licenses for customers, or licenses for tests (and then everything says TEST)."""

    ISSUED = "issued"
    TEST = "test"


class Keyring:
    """An ordered set of trusted keys."""

    @classmethod
    def parse(cls, document: bytes, *, place: str) -> Keyring:
        """Read keyring.json. Raises: ConfigurationError naming `place` and the entry."""
        raise NotImplementedError
