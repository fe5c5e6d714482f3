"""Every refusal of the control plane: a stable code, what is wrong, and what to do next."""

from __future__ import annotations

EX_UNAVAILABLE = 69  # sysexits.h: a port or socket is taken; trying again may help
EX_CANTCREAT = 73  # sysexits.h: the state directory cannot be written
EX_CONFIG = 78  # sysexits.h: only a person can mend it; the unit does not restart on it


class ControlPlaneError(Exception):
    """Something a person has to know about, in a form that can be shown anywhere.

    `code` is stable and machine readable (`license-expired`), `message` says what is wrong and
    where, `hint` is the next thing to do. None of the three ever holds a secret. `remarks` are
    lines to be said before it: what was noticed on the way, and may explain it.
    """

    exit_status = 1
    remarks: tuple[str, ...] = ()

    def __init__(self, message: str, *, code: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    @property
    def line(self) -> str:
        """One line for stderr and the journal: `code: message. hint`."""
        return f"{self.code}: {self.message}. {self.hint}"


class ConfigurationError(ControlPlaneError):
    """A setting is wrong: a flag, a line of the configuration file, an environment variable."""

    exit_status = EX_CONFIG


class ListenError(ControlPlaneError):
    """An address cannot be listened on: taken, forbidden, or owned by a living process."""

    exit_status = EX_UNAVAILABLE


class StateError(ControlPlaneError):
    """The state directory or the store in it cannot be used."""

    exit_status = EX_CANTCREAT


class StateGoneError(StateError):
    """What the process has in its state directory was taken away or spoilt: what it writes now
    would not be found again.
    """


class StoreRefusedError(StateError):
    """The store is there and does not take us: only a person can mend that."""

    exit_status = EX_CONFIG
