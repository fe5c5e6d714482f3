"""Flags and variables become settings; what is given for nothing is said."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.options import OPTIONS, WITHOUT_EFFECT
from kuma_dp.given.settings import Settings, gather


def gathered(flags: Mapping[str, object], **environ: str) -> tuple[Settings, tuple[str, ...]]:
    return gather(flags, {}, environ)


def test_without_a_word_the_settings_are_the_originals() -> None:
    settings, remarks = gathered({})

    assert settings.cp_address == "https://localhost:5678"
    assert (settings.drain_seconds, settings.readiness_port) == (30.0, 9902)
    assert (settings.retry_seconds, settings.retry_seconds_max) == (3.0, 300.0)
    assert (settings.binary_path, settings.concurrency) == ("envoy", 0)
    assert settings.dns_envoy_port == 15054
    assert remarks == ()


def test_a_variable_wins_over_its_flag_and_that_is_said() -> None:
    settings, remarks = gathered({"name": "flag-1"}, KUMA_DATAPLANE_NAME="variable-1")

    assert settings.name == "variable-1"
    assert [each.partition(":")[0] for each in remarks] == ["setting-given-twice"]
    assert "--name and KUMA_DATAPLANE_NAME" in remarks[0]


def test_an_empty_variable_is_none() -> None:
    settings, remarks = gathered({"name": "flag-1"}, KUMA_DATAPLANE_NAME="")

    assert settings.name == "flag-1"
    assert remarks == ()


@pytest.mark.parametrize(
    ("name", "given", "field", "value"),
    [
        ("KUMA_DATAPLANE_DRAIN_TIME", "1m30s", "drain_seconds", 90.0),
        ("KUMA_DATAPLANE_PROXY_TYPE", "egress", "proxy_type", "egress"),
        ("KUMA_DATAPLANE_RUNTIME_CONCURRENCY", "4", "concurrency", 4),
        ("KUMA_READINESS_PORT", "0", "readiness_port", 0),
        ("KUMA_DATAPLANE_RUNTIME_IPV6_ENABLED", "false", "ipv6", False),
        ("KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES", "1048576", "memory_bytes_max", 1048576),
        ("KUMA_DATAPLANE_RUNTIME_ENVOY_LOG_LEVEL", "warn", "envoy_log_level", "warn"),
        ("KMESH_SKIP_VERIFY", "1", "skip_verify", True),
    ],
)
def test_a_variable_is_read_as_what_it_is(name: str, given: str, field: str, value: object) -> None:
    settings, _ = gathered({}, **{name: given})

    assert getattr(settings, field) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("KUMA_DATAPLANE_DRAIN_TIME", "30"),
        ("KUMA_DATAPLANE_DRAIN_TIME", "0s"),
        ("KUMA_DATAPLANE_DRAIN_TIME", "-1s"),
        ("KUMA_DATAPLANE_PROXY_TYPE", "gateway"),
        ("KUMA_DATAPLANE_RUNTIME_CONCURRENCY", "-1"),
        ("KUMA_READINESS_PORT", "65354"),
        ("KUMA_DATAPLANE_RUNTIME_IPV6_ENABLED", "maybe"),
        ("KUMA_DATAPLANE_RUNTIME_ENVOY_LOG_LEVEL", "loud"),
        ("KUMA_DATAPLANE_RUNTIME_ENVOY_COMPONENT_LOG_LEVEL", "upstream"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_variable(name: str, given: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        gathered({}, **{name: given})

    assert refused.value.code == "setting-malformed"
    assert refused.value.exit_status == 78
    assert name in refused.value.line
    assert repr(given) in refused.value.line


@pytest.mark.parametrize("name", [name for pair in WITHOUT_EFFECT for name in pair if name])
def test_an_option_of_what_is_not_here_is_said_to_have_no_effect(name: str) -> None:
    flags, environ = ({name: "x"}, {}) if name.startswith("--") else ({}, {name: "x"})

    _, remarks = gather(flags, {}, environ)

    assert len(remarks) == 1
    assert remarks[0].startswith(f"setting-without-effect: {name} ")


def test_a_misspelt_variable_is_said_with_what_was_meant() -> None:
    _, remarks = gathered({}, KUMA_DATAPLANE_NAM="x", KUMA_STORE_TYPE="memory", PATH="/bin")

    assert len(remarks) == 1
    assert remarks[0].startswith("variable-unknown: KUMA_DATAPLANE_NAM ")
    assert remarks[0].endswith("Write KUMA_DATAPLANE_NAME instead.")


def test_every_option_has_a_variable_of_its_own_and_words_for_help() -> None:
    variables = [option.variable for option in OPTIONS]
    assert len(set(variables)) == len(variables)
    assert all(option.help for option in OPTIONS)
    assert {option.name for option in OPTIONS} | {"resource_vars"} == set(
        Settings.__dataclass_fields__
    )
