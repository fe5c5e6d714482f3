"""Blocks of PEM are found wherever they stand, and in linear time."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.identity.pem_text import binary_form, pem_blocks
from support.suites.growth import GROWTH_MAX, growth

BLOCK = b"-----BEGIN %s-----\nAAAA\n-----END %s-----\n"


def block(label: bytes) -> bytes:
    return BLOCK % (label, label)


def test_blocks_come_in_their_order_without_what_stands_between() -> None:
    text = b"one\n" + block(b"CERTIFICATE") + b"two\r\n\r\n" + block(b"PRIVATE KEY") + b"three"
    assert [found.label for found in pem_blocks(text)] == ["CERTIFICATE", "PRIVATE KEY"]
    assert pem_blocks(text)[0].text == block(b"CERTIFICATE")


def test_a_block_without_its_end_is_none() -> None:
    begun = b"-----BEGIN CERTIFICATE-----\nAAAA\n"
    assert pem_blocks(begun) == ()
    assert pem_blocks(begun + b"-----END PRIVATE KEY-----\n") == ()
    assert [found.label for found in pem_blocks(begun + block(b"PRIVATE KEY"))] == ["PRIVATE KEY"]


def test_only_a_block_says_that_it_is_encrypted() -> None:
    headers = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
    old = block(b"RSA PRIVATE KEY").replace(b"AAAA", headers + b"AAAA")
    for text in (old, block(b"ENCRYPTED PRIVATE KEY")):
        assert pem_blocks(text)[0].is_encrypted
        assert pem_blocks(text)[0].is_sound
    assert not pem_blocks(b"ENCRYPTED\n" + block(b"PRIVATE KEY"))[0].is_encrypted


@pytest.mark.parametrize("body", [b"", b"====", b"A", b"\xff\xff", b"AAAA*AAA"])
def test_a_body_that_is_no_base64_is_not_sound(body: bytes) -> None:
    (found,) = pem_blocks(block(b"CERTIFICATE").replace(b"AAAA", body))
    assert not found.is_sound


@pytest.mark.parametrize(
    "content", [b"", b"\x30", b"\x30\x82\x01", b"\x30\xff\xff\xff\xff", b"text", b"\0" * 40]
)
def test_what_nothing_can_be_told_of_is_no_form(content: bytes) -> None:
    assert binary_form(content) is None


@pytest.mark.parametrize(
    "line", [b"-----BEGIN CERTIFICATE-----\n", b"-----END X-----\n", b"\n", b"-----BEGIN -----"]
)
def test_looking_for_blocks_costs_what_the_length_is(line: bytes) -> None:
    assert growth(lambda length: lambda: pem_blocks(line * (length // len(line))), 64_000) < (
        GROWTH_MAX
    )
