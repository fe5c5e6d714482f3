"""How Envoy is called."""

from __future__ import annotations

from kuma_dp.envoy.arguments import envoy_arguments
from kuma_dp.given.settings import gather


def arguments(**flags: object) -> str:
    settings, _ = gather(flags, {}, {})
    return " ".join(envoy_arguments(settings, "/run/b.yaml", "info"))


def test_it_is_called_as_the_original_calls_it() -> None:
    assert arguments() == (
        "--config-path /run/b.yaml --drain-time-s 30 --drain-strategy immediate"
        " --disable-hot-restart --log-level info --cpuset-threads"
    )


def test_options_of_envoys_own_are_handed_on() -> None:
    said = arguments(
        concurrency=2,
        drain_seconds=90.0,
        envoy_log_level="debug",
        envoy_component_log_level="upstream:trace",
    )
    assert said.endswith("--log-level debug --component-log-level upstream:trace --concurrency 2")
    assert "--drain-time-s 90 " in said
