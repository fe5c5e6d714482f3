"""Users whose traffic is left alone: every form of the text, and what is refused."""

from __future__ import annotations

import pytest

from kumactl.errors import UsageError
from kumactl.transparent_proxy.exclusions import UidExclusion, by_uid

ALL = "1:65535"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", [("tcp", ALL, "1000"), ("udp", ALL, "1000")]),
        ("1000-2000", [("tcp", ALL, "1000:2000"), ("udp", ALL, "1000:2000")]),
        ("80:1", [("tcp", "80", "1"), ("udp", "80", "1")]),
        ("53,3000-5000:106-108", [(p, "53,3000:5000", "106:108") for p in ("tcp", "udp")]),
        ("tcp:22:1", [("tcp", "22", "1")]),
        ("UDP::1", [("udp", ALL, "1")]),
        ("tcp,udp:*:1", [("tcp", ALL, "1"), ("udp", ALL, "1")]),
        ("*:22:1", [("tcp", "22", "1"), ("udp", "22", "1")]),
        (":22:4294967294", [(p, "22", "4294967294") for p in ("tcp", "udp")]),
    ],
)
def test_protocol_and_ports_may_be_left_out(text: str, expected: list[tuple[str, ...]]) -> None:
    assert by_uid([text]) == tuple(UidExclusion(*each) for each in expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1:2:3:4", "invalid format for excluding ports by UIDs: '1:2:3:4'"),
        ("80:*", "wildcard '*' is not allowed for UIDs"),
        ("80:1,2", "invalid UID entry: '1,2'. It should either be a single item or a range"),
        ("80:", "invalid UID entry: ''"),
        ("icmp:80:1", "invalid or unsupported protocol: 'icmp'"),
        ("70000:1", "validation failed for value or range '70000'"),
        ("90-80:1", "validation failed for value or range '90-80'"),
        ("x:1", "validation failed for value or range 'x'"),
        ("80:root", "validation failed for value or range 'root'"),
        ("80:4294967295", "validation failed for value or range '4294967295'"),
        (",".join(str(port) for port in range(1, 17)) + ":1", "one rule has room for 15 ports"),
        ("1-2,3-4,5-6,7-8,9-10,11-12,13-14,15-16:1", "one rule has room for 15 ports"),
    ],
)
def test_what_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        by_uid([text])

    assert said in error.value.message


def test_fifteen_ports_have_room_in_one_rule() -> None:
    text = ",".join(str(port) for port in range(1, 16))

    assert by_uid([f"tcp:{text}:1"]) == (UidExclusion("tcp", text, "1"),)
