"""The flags that every command reading a configuration shares."""

from __future__ import annotations

import argparse
import os

import pytest

from kong_mesh_cp.settings.flags import add_flags, flags_of, process_environment
from kong_mesh_cp.settings.loading import load
from support.specs.configurations import NO_FILE


def _flags(*words: str) -> dict[str, str | None]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return dict(flags_of(parser.parse_args(words)))


def test_a_flag_that_was_not_given_is_none() -> None:
    assert _flags() == {"--config-file": None, "--log-level": None}


@pytest.mark.parametrize("words", [("-c", "a.toml"), ("--config-file", "a.toml")])
def test_the_file_has_a_short_and_a_long_flag(words: tuple[str, str]) -> None:
    assert _flags(*words)["--config-file"] == "a.toml"


def test_the_flags_are_what_load_takes() -> None:
    found = load(
        arguments=_flags("--log-level", "warning"), environ={"HOME": "/root"}, default_file=NO_FILE
    )
    assert found.settings.log.level == "warning"
    assert found.origins["log.level"] == "flag --log-level"


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMESH_LICENSE_INLINE", "canary")
    environment = process_environment()
    assert environment["KMESH_LICENSE_INLINE"] == "canary"
    load(arguments={}, environ=environment, default_file=NO_FILE)
    assert "KMESH_LICENSE_INLINE" not in os.environ
