"""Damages signed license documents in every way an editor, a disk or an attacker might.

A mutation is chosen by a seed; the same seed gives the same document again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random

from support.licenses.licenses import FIPS_VENDOR, VENDOR, envelope, payload_of, signed

ORIGINALS = (
    signed(payload_of(), VENDOR),
    signed(payload_of(), FIPS_VENDOR),
    signed(payload_of(customer="Müller & Söhne 株式会社", mesh_zones="3"), VENDOR, version="1"),
    signed(payload_of(dataplanes=5, expires="2023-11-09", edition=""), FIPS_VENDOR),
)
_VALUES: tuple[object, ...] = (
    None, True, 0, 1, 2, -1, 5.0, 1e308, 2**70, "", "1", "2", "5_0", "٥", " 5", "05", "9999999",
    "9999-12-31", "2032-11-10", "2021-8-4", "0000-00-00", "Kong Mesh", "kong mesh", "\u202e", "\n",
    "e\u0301", "x" * 1025, "\ud800", "00" * 64, "ff" * 72, "A" * 128, [], {}, [[]], {"": ""},
    {"a": {"b": []}}, ["1"],
)  # fmt: skip
_NAMES = (
    "license", "version", "payload", "signature", "customer", "dataplanes", "license_key", "kid",
    "license_expiration_date", "product_subscription", "mesh_zones", "", "A", "__proto__", "é",
)  # fmt: skip
_SNIPPETS = (
    b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN",
    b"Infinity", b"1e999", b"[" * 100, b'{"a":' * 100, b"}", b'"', b"\\", b",", b"\r\n", b" ",
    b'"version": 2,', b'"dataplanes": "9999",', b"//", b"'", b"9" * 30, "”".encode(), b"\x1b[0m",
)  # fmt: skip


def mutated(random: Random) -> bytes:
    """One damaged document. Now and then the damage is harmless, and it is still a license."""
    document = random.choice(ORIGINALS)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        document = random.choice(_MUTATIONS)(document, random)
    return document


def _flip_bits(document: bytes, random: Random) -> bytes:
    damaged = bytearray(document)
    for _ in range(random.randint(1, 4)):
        if damaged:
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def _replace_byte(document: bytes, random: Random) -> bytes:
    place = random.randrange(len(document) + 1)
    return document[:place] + random.randbytes(1) + document[place + 1 :]


def _cut(document: bytes, random: Random) -> bytes:
    start = random.randrange(len(document) + 1)
    return document[:start] + document[start + random.choice((1, 2, 8, 64, 10_000)) :]


def _repeat(document: bytes, random: Random) -> bytes:
    start = random.randrange(len(document) + 1)
    piece = document[start : start + random.choice((1, 2, 8, 64, 10_000))]
    return document[:start] + piece + document[start:]


def _insert(document: bytes, random: Random) -> bytes:
    place = random.randrange(len(document) + 1)
    return document[:place] + random.choice(_SNIPPETS) + document[place:]


def _splice(document: bytes, random: Random) -> bytes:
    other = random.choice(ORIGINALS)
    return document[: random.randrange(len(document) + 1)] + other[random.randrange(len(other)) :]


def _recode(document: bytes, random: Random) -> bytes:
    encoding = random.choice(("utf-16", "utf-16-be", "utf-32", "latin-1", "utf-8-sig", "cp1252"))
    return document.decode("utf-8", "replace").encode(encoding, "replace")


def _restructure(document: bytes, random: Random) -> bytes:
    """Parse, change one place of the tree, write again."""
    try:
        tree = json.loads(document)
    except (ValueError, RecursionError):
        return _flip_bits(document, random)
    changed = _changed(copy.deepcopy(tree), random)
    text = json.dumps(changed, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 2)))
    return text.encode("utf-8", "surrogatepass")


def _changed(tree: object, random: Random) -> object:
    node = tree
    while isinstance(node, dict) and node:
        name = random.choice(list(node))
        if isinstance(node[name], dict) and random.random() < 0.75:
            node = node[name]
            continue
        _change_member(node, name, random)
        return tree
    return random.choice((_random_value(random), [tree], {"license": tree}))


def _change_member(node: dict[str, object], name: str, random: Random) -> None:
    match random.randrange(5):
        case 0:
            del node[name]
        case 1:
            node[random.choice(_NAMES)] = node.pop(name)
        case 2:
            node[random.choice(_NAMES)] = _random_value(random)
        case _:
            node[name] = _near(node[name], random)


def _near(value: object, random: Random) -> object:
    """A value that is almost the same, or another one altogether."""
    if not isinstance(value, str) or not value or random.random() < 0.4:
        return _random_value(random)
    place = random.randrange(len(value))
    new = random.choice(
        (chr(random.randrange(32, 127)), "", value[place] * 2, value[place].upper())
    )
    return value[:place] + new + value[place + 1 :]


def _random_value(random: Random) -> object:
    if random.random() < 0.2:
        return "".join(chr(random.randrange(0x20, 0xD7FF)) for _ in range(random.randrange(12)))
    return random.choice(_VALUES)


def _graft_signature(_document: bytes, random: Random) -> bytes:
    """The signature of one document on the payload of another, with one field set higher."""
    donor = json.loads(random.choice(ORIGINALS))["license"]
    payload = json.loads(random.choice(ORIGINALS))["license"]["payload"]
    payload[random.choice(list(payload))] = random.choice(
        ("9999999", "9999-12-31", "1", "2030-1-1")
    )
    return envelope(payload, donor["signature"], version=random.choice((1, "1", 2)))


_MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits, _replace_byte, _cut, _repeat, _insert, _splice, _recode,
    _restructure, _restructure, _restructure, _restructure, _graft_signature,
)  # fmt: skip
