"""How tokens, requests for tokens and callers are refused. No text here ever holds a secret."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.schema.violations import Violation

_NEW_TOKEN = "Issue a new token, for example with: kumactl generate user-token."  # noqa: S105 (prose)


class TokenFault(StrEnum):
    """Why a token is not believed."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KEY_ID = "key-id"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    CLAIMS = "claims"
    REVOKED = "revoked"


class TokenRejectedError(ControlPlaneError):
    """A token that proves nothing. Its message is one line and quotes no part of the token."""

    def __init__(
        self, fault: TokenFault, message: str, *, more: str = "", token_id: str = ""
    ) -> None:
        """`more`: a sentence for the hint, where the message is a text that clients match on.

        `token_id`: where its signature has proved it, for the log.
        """
        hint = f"{more} {_NEW_TOKEN}" if more else _NEW_TOKEN
        super().__init__(message, code=f"token-{fault.value}", hint=hint)
        self.fault = fault
        self.more = more
        self.token_id = token_id

    @property
    def logged(self) -> str:
        """For the log: which token it is, as far as that is proved, and what is wrong with it."""
        named = f" (id {printable(self.token_id)})" if self.token_id else ""
        more = f". {self.more.removesuffix('.')}" if self.more else ""
        return f"{self.code}: {self.message}{named}{more}"


class SigningKeyError(ControlPlaneError):
    """What is stored or given as a key is none that tokens can be signed or verified with."""

    def __init__(self, problem: str, *, name: str = "") -> None:
        """`name`: of the secret that holds it, where it is one."""
        self.problem = problem
        super().__init__(
            f"the signing key {name} {problem}" if name else f"the signing key {problem}",
            code="signing-key-invalid",
            hint="Make one with: kumactl generate signing-key.",
        )


class SigningKeyNotFoundError(ControlPlaneError):
    """404 `Signing Key not found`: its message is the detail of that answer."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            code="signing-key-missing",
            hint="Create it from the output of: kumactl generate signing-key.",
        )


class AccessDeniedError(ControlPlaneError):
    """403 `Access Denied`: its message is the detail of that answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail,
            code="access-denied",
            hint="Ask an administrator, or send the token of a user that may do this.",
        )


class IssuerDisabledError(ControlPlaneError):
    """400 `Could not issue a token`: tokens of this kind are signed elsewhere."""

    def __init__(self) -> None:
        super().__init__(
            "issuing tokens using the control plane is disabled.",
            code="token-issuer-disabled",
            hint="Sign it where the private key is: kumactl generate … --signing-key-path.",
        )


class UndecodableRequestError(ControlPlaneError):
    """400, as clients know it with an empty body; the message is for the log alone.

    `violations`: where a value is wrong, which is told besides.
    """

    def __init__(self, problem: str, violations: Sequence[Violation] = ()) -> None:
        self.violations = tuple(violations)
        super().__init__(
            f"the request for a token cannot be read: {problem}",
            code="token-request-undecodable",
            hint="Send one JSON object with the documented members.",
        )


class InvalidTokenRequestError(ControlPlaneError):
    """400 `Invalid request` with every violation."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(
            "; ".join(f"{each.field}: {each.message}" for each in violations),
            code="token-request-invalid",
            hint="Correct the members named.",
        )
        self.violations = tuple(violations)
