"""How a problem is put into a line, and text from outside into a problem."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.errors import EX_CONFIG
from kong_mesh_cp.settings.problems import (
    QUOTED_CHARACTERS_MAX,
    Problem,
    SettingsRejectedError,
    quoted,
)

PORT = Problem("config-value", "the port is wrong", "Correct it")
MODE = Problem("config-unsupported", "the mode is not in this version", "Remove it")


def test_a_problem_is_code_message_and_remedy() -> None:
    assert PORT.line == "config-value: the port is wrong. Correct it"


def test_one_problem_is_reported_as_it_is() -> None:
    error = SettingsRejectedError([PORT])
    assert error.line == PORT.line
    assert error.exit_status == EX_CONFIG
    assert error.problems == (PORT,)


def test_of_several_problems_the_first_is_reported_and_the_rest_counted() -> None:
    error = SettingsRejectedError([MODE, PORT, PORT])
    assert error.code == "config-unsupported"
    assert error.hint == "Remove it"
    assert "2 more" in error.message
    assert "config check" in error.message
    assert len(error.problems) == 3


@given(st.text(st.characters()))
def test_quoted_text_is_short_and_printable(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) <= QUOTED_CHARACTERS_MAX * len("\\U0001f600") + 3
    shown.encode()


def test_short_text_is_quoted_whole_and_long_text_marked_as_cut() -> None:
    assert quoted("zone") == "'zone'"
    assert quoted("a" * QUOTED_CHARACTERS_MAX) == f"'{'a' * QUOTED_CHARACTERS_MAX}'"
    assert quoted("a" * (QUOTED_CHARACTERS_MAX + 1)).endswith("…")
