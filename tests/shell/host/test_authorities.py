"""Keys that resources are born with: what they are, and that nobody waits for another's."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
from cryptography import x509

from kong_mesh_cp.core.identity.rsa_keys import SigningKey
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority
from kong_mesh_cp.shell.host.authorities import SystemKeyMaker
from support.fakes.identity import NOW


def maker() -> SystemKeyMaker:
    return SystemKeyMaker(lambda: NOW)


def authority(bits: object) -> CertificateAuthority:
    return CertificateAuthority(name="ca", type="builtin", conf={"caCert": {"RSAbits": bits}})


async def bits_of(asked: object) -> int:
    pair = await maker().mesh_ca("m", authority(asked))
    key = x509.load_pem_x509_certificate(pair.certificate).public_key()
    size = getattr(key, "key_size", 0)
    assert isinstance(size, int)
    return size


async def test_a_signing_key_is_one_of_2048_bits() -> None:
    document = await maker().signing_key()
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
        await maker().signing_key()
        done.set()
    assert steps > 1


async def test_an_authority_has_the_bits_asked_for_within_what_verifiers_take() -> None:
    assert await bits_of(3072) == 3072
    assert await bits_of("3072") == 3072
    assert await bits_of(1024) == 1024
    assert await bits_of(None) == 2048
    assert await bits_of(0) == 2048


async def test_what_an_older_release_has_let_in_is_cut() -> None:
    assert await bits_of(65536) == 4096
    assert await bits_of(512) == 1024
    assert await bits_of("all of them") == 2048


@pytest.mark.parametrize(
    ("expiration", "days"),
    [("1d", 1), ("2w", 14), ("10y", 3650), ("", 3650), ("0", 0), ("1d1h", 3650)],
)
async def test_an_authority_is_valid_for_as_long_as_was_asked(expiration: str, days: int) -> None:
    conf = {"caCert": {"expiration": expiration}}
    asked = CertificateAuthority(name="ca", type="builtin", conf=conf)
    pair = await maker().mesh_ca("m", asked)
    made = x509.load_pem_x509_certificate(pair.certificate)
    assert made.not_valid_after_utc == NOW + timedelta(days=days)
