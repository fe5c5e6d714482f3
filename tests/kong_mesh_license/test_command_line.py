"""kong-mesh-license: what was meant by a mistyped word, and what a shell may offer."""

from __future__ import annotations

import pytest

from kong_mesh_license.__main__ import main


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["isue"], "issue"), (["keyring", "lst"], "list"), (["keyring", "ad"], "add")],
)
def test_the_nearest_command_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["k"], ["keygen", "keyring"]),
        (["keygen", "--algorithm", ""], ["ecdsa-p256", "ed25519"]),
        (["keyring", ""], ["add", "list", "retire"]),
        (["keyring", "list", ""], []),
    ],
)
def test_a_shell_is_told_what_may_come_next(
    words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["__complete", "--", *words]) == 0
    assert capsys.readouterr().out.split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "kong-mesh-license __complete -- " in capsys.readouterr().out
