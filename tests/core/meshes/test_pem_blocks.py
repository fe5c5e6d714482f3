"""Blocks of PEM are found where Go finds them: what clients are told depends on it.

Source: docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.pem_blocks import blocks
from support.suites.growth import GROWTH_MAX, growth

GOOD = "-----BEGIN A B-----\nAAAA\n-----END A B-----\n"


def found(text: str) -> list[tuple[str, bytes]]:
    return [(each.label, each.content) for each in blocks(text.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, ["A B"]),
        (GOOD.rstrip(), ["A B"]),
        (GOOD.replace("\n", "\r\n"), ["A B"]),
        (GOOD.replace("\n", " \t\n"), ["A B"]),
        (f"subject=/CN=ca\n{GOOD}issuer=\n{GOOD}", ["A B", "A B"]),
        (GOOD.replace("\nAAAA", "\nProc-Type: 4\nDEK-Info: x\n\nAAAA"), ["A B"]),
        ("-----BEGIN A-----\n-----END A-----\n", ["A"]),
        # A first line without a last one is text before the next block.
        (f"-----BEGIN C-----\n{GOOD}", ["A B"]),
        (GOOD.replace("END A B", "END A C") + GOOD, ["A B"]),
        (GOOD.replace("AAAA", "AAA") + GOOD, ["A B"]),
        (GOOD.replace("AAAA", "AA=="), ["A B"]),
        (f" {GOOD}", []),
        (GOOD.replace("\n", "\n "), []),
        (GOOD.replace("\n", " "), []),
        (GOOD.replace("\n", "\\n"), []),
        (GOOD.replace("AAAA", "A*AA"), []),
        (GOOD.replace("AAAA", "AAAA="), []),
        (GOOD.replace("END A B-----", "END A B----- x"), []),
        (GOOD.replace("BEGIN A B-----", "BEGIN A B----"), []),
        ("-----BEGIN A-----\nAAAA\n", []),
        ("-----BEGIN A-----\na: b\n-----END A-----: c\n", []),
        ("", []),
    ],
)
def test_a_block_has_lines_of_its_own_and_one_label_at_both_ends(
    text: str, expected: list[str]
) -> None:
    assert [label for label, _ in found(text)] == expected


def test_the_content_is_what_base64_stands_for() -> None:
    assert found(GOOD) == [("A B", b"\0\0\0")]
    assert found("-----BEGIN A-----\n-----END A-----\n") == [("A", b"")]


@pytest.mark.parametrize(
    "part",
    [
        b"-----BEGIN A-----\n",
        b"\n-----END A-----",
        b"-----BEGIN A-----\n-----END B-----\n",
        b"-----BEGIN A-----\na: b\n-----END A-----: c\n",
        b"-----BEGIN A-----\nAAA\n-----END A-----\n",
        b"A" * 20,
        b"\n",
    ],
)
def test_looking_for_blocks_takes_time_by_the_length_of_the_text(part: bytes) -> None:
    def work(size: int):  # type: ignore[no-untyped-def]
        text = part * (size // len(part))
        return lambda: sum(1 for _ in blocks(text))

    assert growth(work, 500_000) < GROWTH_MAX
