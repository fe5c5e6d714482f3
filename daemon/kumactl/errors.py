"""What can go wrong for a user of kumactl, and the exit status of each.

The statuses are part of the interface (kumactl(1)): scripts tell by them whether to look at
their own command line, at the network, or at what the control plane said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EXIT_DONE = 0
EXIT_FAILED = 1  # the control plane refused, or something else went wrong
EXIT_USAGE = 2  # the command line or the documents given are wrong; nothing was sent
EXIT_UNREACHABLE = 3  # no answer that a control plane would give
EXIT_NOT_FOUND = 4  # the resource asked for is not there
EXIT_INTERRUPTED = 130  # Ctrl-C, as shells count it


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with a document: where and why, in the words of the server."""

    field: str
    reason: str


class KumactlError(Exception):
    """Something the user has to know: one sentence, and fields where they are known."""

    exit_status = EXIT_FAILED

    def __init__(self, message: str, *, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = tuple(fields)


class UsageError(KumactlError):
    """A flag, a file or the configuration is wrong; no control plane was asked to change."""

    exit_status = EXIT_USAGE


class UnreachableError(KumactlError):
    """No answer, or none of a control plane."""

    exit_status = EXIT_UNREACHABLE


class NotFoundError(KumactlError):
    """A resource that was named does not exist."""

    exit_status = EXIT_NOT_FOUND


class MeshNotFoundError(NotFoundError):
    """The mesh that a resource was looked for in does not exist. `mesh` is its name, if known."""

    mesh = ""


class RefusedError(KumactlError):
    """The control plane answered with an error. `status` is the one of HTTP."""

    def __init__(self, status: int, message: str, *, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message, fields=fields)
        self.status = status


class NothingGivenError(KumactlError):
    """There is no resource in what was given: no fault of the command line (exit status 1)."""


class SeveralError(KumactlError):
    """Several things went wrong; `message` sums them up. The status is the one that all share."""

    def __init__(self, errors: Sequence[KumactlError], message: str) -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        statuses = {error.exit_status for error in errors}
        self.exit_status = statuses.pop() if len(statuses) == 1 else EXIT_FAILED
