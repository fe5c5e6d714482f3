"""What has to be unpredictable has its shape, and is another one each time."""

from __future__ import annotations

import uuid

import trio

from kong_mesh_cp.core.identity.rsa_keys import SigningKey
from kong_mesh_cp.shell.host.randomness import (
    new_nonce,
    new_rsa_key,
    new_serial,
    new_signing_key,
    new_token_id,
)

DRAWS = 1_000


async def test_a_signing_key_is_one_of_2048_bits() -> None:
    document = await new_signing_key()
    assert document.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert SigningKey.parse(document).sign(b"x")


async def test_making_one_keeps_nobody_waiting() -> None:
    steps = 0
    done = trio.Event()

    async def somebody_else() -> None:
        nonlocal steps
        while not done.is_set():
            steps += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(somebody_else)
        await new_signing_key()
        done.set()
    assert steps > 1


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
