"""No damaged token is believed: 24,000 of them a run, the same ones for the same seed."""

from __future__ import annotations

from random import Random

import pytest

from kong_mesh_cp.core.identity import tokens
from kong_mesh_cp.core.identity.jwt import PresentedToken
from kong_mesh_cp.core.identity.refusals import TokenRejectedError
from kong_mesh_cp.core.identity.rsa_keys import LegacyVerifier, VerifyingKey
from kong_mesh_cp.core.identity.tokens import C, DataplaneClaims, UserClaims, ZoneClaims
from support.fakes.identity import NOW, signing_key
from support.licenses.token_mutations import ORIGINALS, mutated

SEEDS = range(8)
MUTATIONS = 3_000  # a seed
KEYS: list[VerifyingKey] = [
    signing_key(1).verifier,
    signing_key(2).verifier,
    LegacyVerifier(bytes(64)),
]


def believed(text: str) -> bool:
    """By any reader of tokens. Whatever else is raised is a failure of the test."""
    return any(
        (
            _believed_as(UserClaims, text),
            _believed_as(DataplaneClaims, text),
            _believed_as(ZoneClaims, text),
        )
    )


def _believed_as(claims: type[C], text: str) -> bool:
    try:
        token = PresentedToken.parse(text)
        tokens.verify(token, claims, keys=KEYS, revoked=frozenset(), now=NOW)
    except TokenRejectedError:
        return False
    return True


@pytest.mark.parametrize("seed", SEEDS)
def test_no_mutated_token_is_accepted(seed: int) -> None:
    random = Random(seed)
    tried = 0
    while tried < MUTATIONS:
        text = mutated(random)
        if text not in ORIGINALS:
            tried += 1
            assert not believed(text), (seed, text)


def test_every_original_is_accepted() -> None:
    assert all(believed(text) for text in ORIGINALS)
