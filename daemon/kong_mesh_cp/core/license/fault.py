"""The closed set of reasons why a license is refused."""

from __future__ import annotations

from enum import StrEnum

from kong_mesh_cp.core.errors import EX_CONFIG, ControlPlaneError


class Fault(StrEnum):
    """Why a license cannot be used. Clients and runbooks match on these; none is ever renamed."""

    PATH_NOT_FOUND = "path-not-found"
    UNREADABLE = "unreadable"
    UNSAFE_PERMISSIONS = "unsafe-permissions"
    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    MALFORMED = "malformed"
    NEWER_FORMAT = "newer-format"
    BAD_SIGNATURE = "bad-signature"
    UNKNOWN_KEY = "unknown-key"
    WRONG_PRODUCT = "wrong-product"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"


class LicenseRejectedError(ControlPlaneError):
    """A license document that must not be used. `code` is `license-` and the fault.

    Who refuses a document may not know where it came from. With a `subject` ("the license of
    company_inc") the message is a sentence that `at` can put the source into.
    """

    exit_status = EX_CONFIG

    def __init__(self, fault: Fault, message: str, *, hint: str, subject: str = "") -> None:
        super().__init__(f"{subject} {message}".lstrip(), code=f"license-{fault}", hint=hint)
        self.fault = fault
        self._subject = subject
        self._predicate = message

    def at(self, source: str, *, hint: str | None = None) -> LicenseRejectedError:
        """The same refusal, naming `source`; with another hint where the source suggests one."""
        if self._subject:
            message = f"{self._subject} in {source} {self._predicate}"
        else:
            message = f"{source}: {self._predicate}"
        return LicenseRejectedError(self.fault, message, hint=hint or self.hint)
