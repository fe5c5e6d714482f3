"""Asks for the bootstrap until it is there: what is tried again, what ends the start.

Source: docs/wire/kuma-dp.md#tries
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from dataclasses import dataclass
from typing import Final

import trio

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.bootstrapping.trust import Address, Trust, distrusted
from kuma_dp.errors import NotMendedByWaitingError, NotNowError
from kuma_dp.http_exchange import Answer, NoHttpError, ask

TRY_SECONDS_MAX: Final = 10.0  # for one try, the connection included
TEXT_CHARACTERS_MAX: Final = 1000  # of what a refusal says
# What OpenSSL says of a server that answers the first message with something else than TLS.
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE"}
)
_CODED: Final = re.compile(r"([a-z]+(?:-[a-z0-9]+)+): (.+)")
_PORT_HINT: Final = "Give the port for proxies in --cp-address: 5678 unless configured otherwise."
_OF_API: Final = "404: Page Not Found"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tries:
    """How long to go on, and how long to wait in between."""

    pause_seconds: float
    seconds_max: float


async def ask_until_there(address: Address, trust: Trust, body: bytes, tries: Tries) -> bytes:
    """The answer of the control plane, when it gives one.

    Each reason to try again is logged when it is another than before. Raises:
    NotMendedByWaitingError; NotNowError when there is none within `tries`.
    """
    began, told = trio.current_time(), ""
    while True:
        try:
            return await _try(address, trust, body)
        except NotNowError as error:
            if trio.current_time() - began + tries.pause_seconds > tries.seconds_max:
                raise
            if error.code in {"license-limit", "mesh-quota"}:
                raise
            if error.line != told:
                log.warning("%s Trying again every %g s.", error.line, tries.pause_seconds)
                told = error.line
        await trio.sleep(tries.pause_seconds)


async def _try(address: Address, trust: Trust, body: bytes) -> bytes:
    try:
        with trio.fail_after(TRY_SECONDS_MAX):
            answer = await _exchange(address, trust, body)
    except trio.TooSlowError:
        raise _not_now(
            f"{address.text} did not answer within {TRY_SECONDS_MAX:g} s", "control-plane-silent"
        ) from None
    except (OSError, trio.BrokenResourceError, NoHttpError) as error:
        raise _failure(error, address) from None
    if answer.status == 200:
        return answer.body
    raise refusal(answer, address)


async def _exchange(address: Address, trust: Trust, body: bytes) -> Answer:
    async with await trio.open_tcp_stream(address.host, address.port) as tcp:
        stream = trio.SSLStream(
            tcp, trust.context, server_hostname=address.host, https_compatible=True
        )
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        incoming = await ask(
            stream, "POST", "/bootstrap", host=address.text, body=body, headers=headers
        )
        return await incoming.whole()


def _failure(error: BaseException, address: Address) -> ControlPlaneError:
    """What an error of the connection means. Those of TLS come as the cause of another."""
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return distrusted(cause, address)
    if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
        return NotMendedByWaitingError(
            f"{address.text} does not speak TLS: it is not the port for proxies",
            code="control-plane-wrong-port",
            hint=_PORT_HINT,
        )
    if isinstance(cause, NoHttpError):
        return _not_now(f"{address.text} does not answer as a control plane: {cause}")
    if isinstance(cause, OSError) and isinstance(cause.__cause__, BaseExceptionGroup):
        cause = cause.__cause__.exceptions[0]  # of several addresses of a name: the first
    said = printable(_reason(cause) or "it hung up").rstrip(".")
    return _not_now(f"no connection to {address.text}: {said}")


def _reason(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)  # trio says more, and says it for programmers
    return "" if error is None else str(getattr(error, "strerror", None) or error)


def refusal(answer: Answer, address: Address) -> ControlPlaneError:
    """What an answer other than 200 means."""
    text = " ".join(answer.body.decode(errors="replace").split())[:TEXT_CHARACTERS_MAX]
    said = printable(text).rstrip(".")
    if answer.status == 404 and not text:
        return NotNowError(
            "the control plane does not know this Dataplane yet",
            code="dataplane-absent",
            hint="Store it with kumactl apply, or bring it with --dataplane-file.",
        )
    if answer.status == 404 and _OF_API in text:
        return NotMendedByWaitingError(
            f"{address.text} is the port of the API, not the one for proxies",
            code="control-plane-wrong-port",
            hint=_PORT_HINT,
        )
    if answer.status // 100 != 4:
        return NotNowError(
            f"the control plane at {address.text} answered {answer.status}"
            + (f": {said}" if said else ""),
            code="control-plane-failing",
            hint="Its log has the reason.",
        )
    if answer.status in {403, 429}:
        coded = _CODED.fullmatch(said)
        message, _, hint = (coded[2] if coded else said).partition(". ")
        return NotNowError(
            message,
            code=coded[1] if coded else "control-plane-refuses",
            hint=f"{hint or 'Its log has the reason'}.",
        )
    return _wrong(said, answer.status)


def _wrong(said: str, status: int) -> NotMendedByWaitingError:
    if "Dataplane Token is required" in said:
        return NotMendedByWaitingError(
            "the control plane wants a token",
            code="dataplane-token-required",
            hint="Give --dataplane-token-file with one of kumactl generate dataplane-token, or"
            " --admission-socket on the machine of the control plane.",
        )
    if "has the following SANs" in said:
        message, _, names = said.partition(", but ")
        return NotMendedByWaitingError(
            f"{message}, but {names.partition('. ')[0]}",
            code="control-plane-name-mismatch",
            hint="Use one of these in --cp-address, or get a certificate for this one.",
        )
    if "not a certificate authority" in said:
        return NotMendedByWaitingError(
            "the certificate of the control plane is no authority, and Envoy needs one",
            code="ca-cert-not-an-authority",
            hint="Give --ca-cert-file with the authority that has signed it.",
        )
    return NotMendedByWaitingError(
        said or f"the control plane answered {status}",
        code="dataplane-refused",
        hint="Correct the Dataplane, or what kuma-dp was told about it.",
    )


def _not_now(message: str, code: str = "control-plane-unreachable") -> NotNowError:
    return NotNowError(
        message,
        code=code,
        hint="Look whether the control plane runs, and whether --cp-address leads to it.",
    )
