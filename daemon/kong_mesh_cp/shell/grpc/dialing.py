"""Connections to gRPC servers: an address, and whose certificates are believed."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.http.h2.client import ServerGoneError

PLAIN: Final = "grpc"
SECURED: Final = "grpcs"
CONNECT_SECONDS: Final = 10.0

_FORM: Final = "it has to be grpc://HOST:PORT or grpcs://HOST:PORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Of a server."""

    scheme: str
    host: str
    port: int

    @property
    def is_secured(self) -> bool:
        return self.scheme == SECURED

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises: ValueError; the text says what it has to be."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(_FORM) from None
        if parts.scheme not in {PLAIN, SECURED} or not host or port is None:
            raise ValueError(_FORM)
        return cls(scheme=parts.scheme, host=host, port=port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose certificate a server may have."""

    authorities: Path | None = None  # PEM; None: the system's
    is_blind: bool = False  # any certificate, of anybody

    def context(self) -> ssl.SSLContext:
        """Reads files. Raises: OSError, ssl.SSLError for what cannot be read."""
        path = None if self.authorities is None else str(self.authorities)
        made = ssl.create_default_context(cafile=path)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["h2"])
        if self.is_blind:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        return made


async def dial(
    address: Address, trust: Trust
) -> trio.SSLStream[trio.SocketStream] | trio.SocketStream:
    """A connection that is ready to be spoken on. Raises: ServerGoneError."""
    try:
        with trio.fail_after(CONNECT_SECONDS):
            stream = await trio.open_tcp_stream(address.host, address.port)
            if not address.is_secured:
                return stream
            secured = None
            try:
                secured = await _secured(stream, address, trust)
                return secured
            finally:
                if secured is None:
                    await trio.aclose_forcefully(stream)
    except trio.TooSlowError:
        text = f"{address.authority} does not answer within {CONNECT_SECONDS:.0f} s"
        raise ServerGoneError(text) from None
    except (OSError, UnicodeError, ssl.SSLError, trio.BrokenResourceError) as error:
        reason = _reason(error)
        raise ServerGoneError(f"{address.authority} cannot be reached: {reason}") from error


def _reason(error: BaseException) -> str:
    """Of the first attempt, where there were several."""
    while isinstance(error, BaseExceptionGroup) or error.__cause__ is not None:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif error.__cause__ is not None:
            error = error.__cause__
    return getattr(error, "strerror", None) or str(error)


async def _secured(
    stream: trio.SocketStream, address: Address, trust: Trust
) -> trio.SSLStream[trio.SocketStream]:
    context = await trio.to_thread.run_sync(trust.context)
    made = trio.SSLStream(stream, context, server_hostname=address.host, https_compatible=True)
    await made.do_handshake()
    return made
