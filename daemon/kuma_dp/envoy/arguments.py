"""How Envoy is called.

Source: docs/wire/kuma-dp.md#envoy
"""

from __future__ import annotations

from kuma_dp.given.settings import Settings


def envoy_arguments(settings: Settings, configuration: str, log_level: str) -> list[str]:
    """The arguments of Envoy, without its own name. `log_level` holds where none is set."""
    arguments = [
        *("--config-path", configuration),
        *("--drain-time-s", f"{int(settings.drain_seconds)}"),
        *("--drain-strategy", "immediate"),
        # Several Envoys of one machine would share what it is done with.
        "--disable-hot-restart",
        *("--log-level", settings.envoy_log_level or log_level),
    ]
    if settings.envoy_component_log_level:
        arguments += ("--component-log-level", settings.envoy_component_log_level)
    if settings.concurrency:
        return [*arguments, "--concurrency", f"{settings.concurrency}"]
    return [*arguments, "--cpuset-threads"]
