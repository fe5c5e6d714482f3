"""What has to be unpredictable has its shape, and is another one each time."""

from __future__ import annotations

import uuid

from kong_mesh_cp.shell.host.randomness import (
    new_nonce,
    new_rsa_key,
    new_serial,
    new_token_id,
)

DRAWS = 1_000


def test_a_key_has_the_bits_asked_for() -> None:
    assert new_rsa_key(3072).key_size == 3072
    assert new_rsa_key().key_size == 2048


def test_serial_numbers_fit_a_certificate_and_do_not_repeat() -> None:
    drawn = {new_serial() for _ in range(DRAWS)}
    assert len(drawn) == DRAWS
    assert all(0 < serial < 2**128 for serial in drawn)


def test_nonces_and_ids_do_not_repeat() -> None:
    nonces = {new_nonce() for _ in range(DRAWS)}
    assert len(nonces) == DRAWS
    assert {len(nonce) for nonce in nonces} == {12}
    ids = {new_token_id() for _ in range(DRAWS)}
    assert len(ids) == DRAWS
    assert all(str(uuid.UUID(each)) == each for each in ids)
