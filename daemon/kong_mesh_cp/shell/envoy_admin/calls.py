"""Asks the admin listener of one proxy.

Source: docs/wire/inspection.md#envoy-admin
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminPair
from kong_mesh_cp.usecases.inspection.envoy_admin import AdminCallError

ANSWER_SECONDS_MAX: Final = 5.0  # for all of it, the connection included
CONNECT_SECONDS_MAX: Final = 3.0  # and then for each wait
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024  # the configuration of a proxy in a mesh of thousands
CALLS_AT_ONCE_MAX: Final = 8  # each has a thread
LOOPBACK: Final = "127.0.0.1"  # where Envoy's own listener is: without TLS, and only from here

OwnPair = Callable[[], Awaitable[AdminPair | None]]
"""What this control plane shows; None: it has nothing to show."""


class HttpAdminCalls:
    """`usecases.inspection.envoy_admin.AdminCalls`."""

    def __init__(self, own_pair: OwnPair) -> None:
        self._own_pair = own_pair
        self._pair: AdminPair | None = None
        self._context: ssl.SSLContext | None = None
        self._threads = trio.CapacityLimiter(CALLS_AT_ONCE_MAX)

    async def get(self, host: str, port: int, target: str) -> bytes:
        """Raises: AdminCallError, StateError."""
        context = None if host == LOOPBACK else await self._tls()
        ask = partial(_get, host, port, target, context)
        with trio.move_on_after(ANSWER_SECONDS_MAX):
            return await trio.to_thread.run_sync(ask, limiter=self._threads, abandon_on_cancel=True)
        raise AdminCallError(f"there was no answer within {ANSWER_SECONDS_MAX:.0f} s")

    async def _tls(self) -> ssl.SSLContext:
        pair = await self._own_pair()
        if pair is None:
            raise AdminCallError("the GlobalSecret envoy-admin-ca is missing or unusable")
        if pair is not self._pair or self._context is None:
            self._context = _client_context(pair)
            self._pair = pair
        return self._context


def _client_context(pair: AdminPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=pair.authority.decode("ascii"))
    # The module only reads files, and this key is in none.
    descriptor = os.memfd_create("envoy-admin", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(pair.key + b"\n" + pair.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def _get(host: str, port: int, target: str, context: ssl.SSLContext | None) -> bytes:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS_MAX)
    else:
        connection = http.client.HTTPSConnection(
            host, port, timeout=CONNECT_SECONDS_MAX, context=context
        )
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX + 1)
    except ssl.SSLError as error:
        reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else ""
        raise AdminCallError(f"TLS fails: {printable(reason or error.reason or error)}") from None
    except (OSError, http.client.HTTPException) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise AdminCallError(printable(said or str(error) or type(error).__name__)) from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise AdminCallError(f"it answers with {response.status} {printable(response.reason)}")
    if len(body) > ANSWER_BYTES_MAX:
        raise AdminCallError(f"its answer is longer than {ANSWER_BYTES_MAX // 2**20} MiB")
    return body
