"""Whether a machine's rules redirect: a client connects where nothing listens, a server waits.

What the proxy's user sends to 127.0.0.6 (or ::6) from the loopback address must arrive at the
proxy's port. Root takes that user's place; anybody else tries it as who they are.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from kumactl.errors import KumactlError, UsageError

_SECONDS_BETWEEN: Final = 1.0
_CONNECT_SECONDS: Final = 5.0
_ANSWER: Final = b"transparent proxy: redirected"
_PORTS: Final = range(20_000, 30_000)  # of those the client takes one where nothing listens
_ADDRESSES: Final = {False: ("127.0.0.1", "127.0.0.6"), True: ("::1", "::6")}
Note = Callable[[str], None]


def validate(port: int, note: Note, *, uid: int, ipv6: bool, tries: int) -> None:
    """Try it as the user `uid`. Raises: KumactlError when nothing arrives; UsageError when `port`
    is taken.
    """
    here, there = _ADDRESSES[ipv6]
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    with _server(family, here, port):
        note(f"server is listening at {here}, port {port}")
        for attempt in range(tries):
            target = random.choice(_PORTS)  # noqa: S311 (any one will do)
            with _as_user(uid):  # a socket belongs to who makes it
                client = socket.socket(family, socket.SOCK_STREAM)
            reason = _failure(client, here, (there, target))
            if not reason:
                note(f"a connection to {there}, port {target}, came to port {port}: redirected")
                return
            note(f"failed to connect to {there}, port {target}: {reason}")
            if attempt + 1 < tries:
                time.sleep(_SECONDS_BETWEEN)
    raise KumactlError(
        f"validation failed: what user {uid} sends to {there} does not come to port {port}, so"
        " traffic is not redirected. Put rules in force with `kumactl install transparent-proxy`;"
        " where the port or the user of the proxy is another one: --validation-server-port,"
        " --kuma-dp-user"
    )


@contextmanager
def _as_user(uid: int) -> Iterator[None]:
    mine = os.geteuid()
    if uid == mine:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(mine)


@contextmanager
def _server(family: socket.AddressFamily, address: str, port: int) -> Iterator[None]:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen()
        except OSError as error:
            raise UsageError(
                f"port {port} of {address} cannot be listened on: {error.strerror}. Stop the proxy"
                " that does, for it takes the place of this check's server"
            ) from None
        ending = threading.Event()
        serving = threading.Thread(target=_serve, args=(listener, ending), daemon=True)
        serving.start()
        try:
            yield
        finally:
            ending.set()
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()


def _serve(listener: socket.socket, ending: threading.Event) -> None:
    while not ending.is_set():
        try:
            peer, _ = listener.accept()
        except OSError:
            return  # it was shut down
        with peer:
            try:
                peer.sendall(_ANSWER)
            except OSError:
                continue


def _failure(client: socket.socket, here: str, target: tuple[str, int]) -> str:
    """Why no connection from `here` to `target` comes to our server; "" if one does."""
    with client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.bind((here, 0))
            client.connect(target)
            answer = client.recv(len(_ANSWER), socket.MSG_WAITALL)
        except OSError as error:
            return error.strerror or str(error)
    return "" if answer == _ANSWER else "something else answered"
