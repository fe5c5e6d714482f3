"""Tokens out of files and options; none is ever shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.tokens import token_of

HEADER = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "1"}).encode()).decode()
TOKEN = f"{HEADER.rstrip('=')}.e30.c2lnbmF0dXJl"


def test_a_token_comes_out_of_its_file_without_the_blanks_around_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"\n {TOKEN}\n")

    assert token_of(str(file), "") == TOKEN
    assert token_of("", TOKEN) == TOKEN
    assert token_of("", "") == ""


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n",
        "no token",
        f"{TOKEN}\n{TOKEN}",
        "a.b",
        "bm8.e30.c2ln",
        f"{TOKEN}\N{BULLET}",
        "\x00",
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)

    with pytest.raises(NotMendedByWaitingError) as refused:
        token_of(str(file), "")

    assert refused.value.code == "dataplane-token-malformed"
    assert str(file) in refused.value.message
    assert HEADER.rstrip("=") not in refused.value.line


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        token_of(str(tmp_path / "none"), "")

    assert refused.value.code == "dataplane-token-unreadable"
    assert refused.value.exit_status == 78


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("dataplane", "kumactl generate dataplane-token --mesh"),
        ("egress", "kumactl generate zone-token --zone ZONE --scope egress"),
    ],
)
def test_the_remedy_is_the_command_that_makes_such_a_token(kind: str, command: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        token_of("", "no token", kind)

    assert command in refused.value.hint


def test_a_remark_in_the_place_of_a_token_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("# the folder has no .token of this name")

    with pytest.raises(NotMendedByWaitingError) as refused:
        token_of(str(file), "")

    assert "the folder has no .token of this name" in refused.value.message
    file.write_text(f"# mine\n{TOKEN}")
    with pytest.raises(NotMendedByWaitingError) as refused:
        token_of(str(file), "")
    assert "mine" not in refused.value.line
