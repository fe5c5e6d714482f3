"""Envoy's executable: found, asked for its version, held to the oldest that is enough."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kuma_dp.envoy.binary import AskedEnvoy, EnvoyVersion, find_envoy, read_version
from kuma_dp.errors import NotMendedByWaitingError

BUILD = "9e55/1.40.0/Clean/RELEASE/BoringSSL"


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_path_counts_as_it_is_and_a_name_is_looked_for_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = executable(tmp_path / "bin" / "envoy-of-ours")
    monkeypatch.setenv("PATH", str(own.parent))

    assert find_envoy(str(own)) == str(own)
    assert find_envoy("envoy-of-ours") == str(own)


def test_else_it_is_looked_for_here_and_beside_this_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    beside = executable(tmp_path / "program" / "envoy")
    monkeypatch.setattr(sys, "argv", [str(beside.parent / "kuma-dp")])
    assert find_envoy("envoy") == str(beside)

    here = executable(tmp_path / "envoy")
    assert find_envoy("envoy") == str(here)


def test_where_there_is_none_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "kuma-dp")])

    with pytest.raises(NotMendedByWaitingError) as refused:
        find_envoy("envoy")

    assert (refused.value.code, refused.value.exit_status) == ("envoy-missing", 78)
    assert "kong-mesh-envoy" in refused.value.hint


def test_it_says_its_version_itself(tmp_path: Path) -> None:
    envoy = executable(
        tmp_path / "envoy", f"#!/bin/sh\necho; echo '{tmp_path}  version: {BUILD}'\n"
    )

    assert AskedEnvoy(str(envoy)).version() == EnvoyVersion("1.40.0", BUILD)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("envoy  version: a/1.32.9/Clean/RELEASE/BoringSSL", "envoy-too-old"),
        ("envoy  version: a/0.99.0/Clean/RELEASE/BoringSSL", "envoy-too-old"),
        ("", "envoy-unusable"),
        ("envoy version: 1.40.0", "envoy-unusable"),
        ("envoy version: a/new/Clean/RELEASE/BoringSSL", "envoy-unusable"),
    ],
)
def test_one_that_is_too_old_or_is_none_is_refused(said: str, code: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        read_version(said, "/usr/bin/envoy")
    assert (refused.value.code, refused.value.exit_status) == (code, 78)
    assert "/usr/bin/envoy" in refused.value.message


@pytest.mark.parametrize("version", ["1.33.0", "1.33.0-dev", "2.0.0"])
def test_the_oldest_and_newer_ones_will_do(version: str) -> None:
    build = f"a/{version}/Clean/RELEASE/BoringSSL"
    assert read_version(f"envoy  version: {build}", "envoy") == EnvoyVersion(version, build)


def test_one_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        AskedEnvoy(str(executable(tmp_path / "envoy", "\x7fELF no program"))).version()
    assert refused.value.code == "envoy-unusable"


def test_why_one_does_not_run_is_told(tmp_path: Path) -> None:
    said = "cat >&2 <<'END'\nenvoy: libc.so.6: version `GLIBC_2.99' not found\nEND\nexit 1\n"
    envoy = executable(tmp_path / "envoy", f"#!/bin/sh\n{said}")

    with pytest.raises(NotMendedByWaitingError) as refused:
        AskedEnvoy(str(envoy)).version()

    assert refused.value.code == "envoy-unusable"
    assert "version `GLIBC_2.99' not found" in refused.value.message
