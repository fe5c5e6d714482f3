"""The DNS server of a proxy's machine, over UDP and TCP, on its loopback addresses."""

from __future__ import annotations

import errno
import logging
import math
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ListenError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.listening import open_tcp
from kuma_dp.dns.exchanging import framed, received
from kuma_dp.dns.messages import (
    MESSAGE_BYTES_MAX,
    Code,
    MalformedError,
    Query,
    fitting,
    read_query,
    refusal,
)
from kuma_dp.dns.name_servers import NameServers
from kuma_dp.dns.resolving import Resolver
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

QUERIES_AT_ONCE_MAX: Final = 256  # each may hold a socket; what comes then is refused at once
CONNECTIONS_MAX: Final = 64
IDLE_SECONDS_MAX: Final = 10.0  # of a connection without a whole query
SEND_SECONDS_MAX: Final = 5.0
SETTING: Final = "KUMA_DNS_CORE_DNS_PORT"  # what moves the port
LOOPBACK: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """Where names are asked for, and who knows them."""

    port: int = 15053  # KUMA_DNS_CORE_DNS_PORT
    envoy_port: int = 15054  # KUMA_DNS_ENVOY_DNS_PORT, where Envoy's filter listens over UDP
    addresses: tuple[str, ...] = LOOPBACK  # an IPv6 one that the machine does not have is left out
    name_servers_file: Path = Path("/etc/resolv.conf")
    name_servers_port: int = 53
    log_queries: bool = False  # KUMA_DNS_ENABLE_LOGGING


async def serve(
    settings: DnsSettings, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer until cancelled. Started, with the port, when all sockets are bound.

    Raises: ListenError (`port-taken`, `port-forbidden`, `address-unknown`). Nothing that an asker
    or a server sends ends it.
    """
    with ExitStack() as stack:
        port, datagrams, listeners = _bound(settings, stack)
        us = frozenset((each, port) for each in settings.addresses)
        servers = NameServers(settings.name_servers_file, settings.name_servers_port, never=us)
        serving = _Serving(Resolver((LOOPBACK[0], settings.envoy_port), servers), settings)
        async with trio.open_nursery() as nursery:
            for each in datagrams:
                nursery.start_soon(serving.take_datagrams, each, nursery)
            await nursery.start(
                partial(trio.serve_listeners, serving.converse, listeners, handler_nursery=nursery)
            )
            log.info(
                "dns-serving: names are answered on port %d of %s; Envoy is asked first, on port"
                " %d, then the servers of %s",
                port,
                " and ".join(each.socket.getsockname()[0] for each in listeners),
                settings.envoy_port,
                settings.name_servers_file,
            )
            task_status.started(port)
            await trio.sleep_forever()


def _bound(
    settings: DnsSettings, stack: ExitStack
) -> tuple[int, list[trio.socket.SocketType], list[trio.SocketListener]]:
    """The port, which is the same over UDP and TCP, and its sockets, which `stack` closes."""
    port, datagrams, listeners = settings.port, [], []
    for address in settings.addresses:
        try:
            listener = open_tcp(address, port, setting=SETTING)
        except ListenError as error:
            if ":" in address and error.code == "address-unknown":
                continue
            raise
        stack.enter_context(listener)
        port = listener.getsockname()[1]
        listeners.append(trio.SocketListener(trio.socket.from_stdlib_socket(listener)))
        datagrams.append(stack.enter_context(_datagram_socket(address, port)))
    return port, datagrams, listeners


def _datagram_socket(address: str, port: int) -> trio.socket.SocketType:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.bind((address, port))
    except OSError as error:
        opened.close()
        taken = error.errno == errno.EADDRINUSE
        raise ListenError(
            f"port {port} on {address} is taken over UDP"
            if taken
            else f"cannot take datagrams on {address} port {port}: {error.strerror}",
            code="port-taken" if taken else "port-forbidden",
            hint=f"Stop that process (ss -lnup 'sport = {port}' shows it) or set {SETTING}.",
        ) from error
    return trio.socket.from_stdlib_socket(opened)


class _Serving:
    """What the sockets share: the resolver, and the bounds."""

    def __init__(self, resolver: Resolver, settings: DnsSettings) -> None:
        self._resolver = resolver
        self._log_queries = settings.log_queries
        self._under_way = 0
        self._connections = 0
        self._seldom = Seldom(log)

    async def take_datagrams(self, opened: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        while True:
            message, asker = await opened.recvfrom(MESSAGE_BYTES_MAX)
            try:
                query = read_query(message)
            except MalformedError:
                continue
            if isinstance(query, Query) and not self._is_full():
                self._under_way += 1
                nursery.start_soon(self._answer_datagram, opened, asker, query)
            else:
                code = Code.SERVER_FAILURE if isinstance(query, Query) else query.code
                await _send_datagram(opened, refusal(query, code), asker)

    async def converse(self, stream: trio.SocketStream) -> None:
        """One connection: its queries in turn."""
        if self._connections >= CONNECTIONS_MAX:
            await trio.aclose_forcefully(stream)
            return
        self._connections += 1
        try:
            await self._take_messages(stream)
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass
        finally:
            self._connections -= 1
            await trio.aclose_forcefully(stream)

    async def _take_messages(self, stream: trio.SocketStream) -> None:
        while True:
            with trio.fail_after(IDLE_SECONDS_MAX):
                message = await received(stream)
            if message is None:
                return
            try:
                query = read_query(message)
            except MalformedError:
                return
            if not isinstance(query, Query):
                answer = refusal(query, query.code)
            elif self._is_full():
                answer = refusal(query, Code.SERVER_FAILURE)
            else:
                self._under_way += 1
                answer = await self._answer(query, over_tcp=True)
            with trio.fail_after(SEND_SECONDS_MAX):
                await stream.send_all(framed(answer))

    def _is_full(self) -> bool:
        if self._under_way < QUERIES_AT_ONCE_MAX:
            return False
        self._seldom.warn(
            "full",
            f"dns-busy: {QUERIES_AT_ONCE_MAX} queries are under way; more are refused. Their"
            " servers are slow, or a program asks in a loop",
        )
        return True

    async def _answer_datagram(
        self, opened: trio.socket.SocketType, asker: tuple[str, int], query: Query
    ) -> None:
        answer = await self._answer(query, over_tcp=False)
        await _send_datagram(opened, fitting(query, answer), asker)

    async def _answer(self, query: Query, *, over_tcp: bool) -> bytes:
        begun = trio.current_time()
        try:
            answer = await self._resolver.answer(query, over_tcp=over_tcp)
        finally:
            self._under_way -= 1
        if self._log_queries:
            log.info(
                "dns-query: %s type %d: code %d, %d bytes, %d ms",
                printable(query.name) or ".",
                query.kind,
                answer[3] & 0x0F,
                len(answer),
                math.ceil(1000 * (trio.current_time() - begun)),
            )
        return answer


async def _send_datagram(
    opened: trio.socket.SocketType, message: bytes, asker: tuple[str, int]
) -> None:
    try:
        await opened.sendto(message, asker)
    except OSError as error:
        # The asker's address may lead nowhere by now; it asks again if it is still there.
        log.debug("dns-unsent: no answer to %s: %s", asker[0], error.strerror)
