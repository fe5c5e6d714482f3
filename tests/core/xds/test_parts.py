"""Proxies that have the same share it."""

from __future__ import annotations

from kong_mesh_cp.core.xds.parts import Parts


class _Making:
    """Notes how often something was made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> object:
        self.times += 1
        return object()


def test_equal_keys_are_one_part_that_is_made_once() -> None:
    parts, make = Parts(), _Making()
    first = parts.made(("cluster", "pay"), make)
    assert parts.made(("cluster", "p" + "ay"), make) is first
    assert parts.made(("cluster", "else"), make) is not first
    assert make.times == 2


def test_what_is_used_in_each_turn_stays() -> None:
    parts, make = Parts(), _Making()
    first = parts.made("a", make)
    for _ in range(5):
        parts.turn()
        assert parts.made("a", make) is first
    assert make.times == 1


def test_what_two_turns_have_not_used_is_forgotten() -> None:
    parts, make = Parts(), _Making()
    parts.made("a", make)
    parts.turn()
    assert len(parts) == 1
    parts.turn()
    assert len(parts) == 0
    parts.made("a", make)
    assert make.times == 2


def test_none_is_a_part_like_any_other() -> None:
    parts = Parts()
    times: list[None] = []
    assert [parts.made("a", lambda: times.append(None)) for _ in range(2)] == [None, None]
    assert len(times) == 1
