"""What ends `kuma-dp`, or keeps it from starting: code, place, remedy, and an exit status.

The statuses are those of the control plane: a unit starts again on all but 78 and 2.
"""

from __future__ import annotations

from kong_mesh_cp.core.errors import EX_CONFIG, EX_UNAVAILABLE, ControlPlaneError

EX_SOFTWARE = 70  # sysexits.h: a program that this one depends on has failed


class NotMendedByWaitingError(ControlPlaneError):
    """What was given, or what the control plane thinks of it, is wrong: a person has to look."""

    exit_status = EX_CONFIG


class NotNowError(ControlPlaneError):
    """Somebody else is not there, or has no room: trying again may help.

    `wait_seconds` is how long to leave them alone, where they said so.
    """

    exit_status = EX_UNAVAILABLE
    wait_seconds: float | None = None


class EnvoyEndedError(ControlPlaneError):
    """Envoy has ended although nobody asked it to."""

    exit_status = EX_SOFTWARE
