"""Who is asked for a name: Envoy first, then the servers of the machine.

Source: docs/wire/beside-envoy.md#names
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.dns.exchanging import (
    Answer,
    NoAnswerError,
    ask_over_tcp,
    ask_over_udp,
    new_number,
)
from kuma_dp.dns.messages import (
    TYPE_A,
    Code,
    Query,
    answer_of_envoy,
    has_records,
    plain_question,
    refusal,
    renumbered,
)
from kuma_dp.dns.name_servers import NameServers, Server
from kuma_dp.seldom import Seldom

log = logging.getLogger(__name__)

ENVOY_SECONDS_MAX: Final = 1.0  # it answers from memory, on this machine
SERVER_SECONDS_MAX: Final = 2.0  # for each try of a server
ALL_SECONDS_MAX: Final = 4.5  # for all of a query: its asker gives up after 5
ROUNDS_MAX: Final = 2  # over all servers

ELSEWHERE: Final = frozenset(
    {
        Code.FORMAT_ERROR,
        Code.SERVER_FAILURE,
        Code.NAME_ERROR,
        Code.NOT_IMPLEMENTED,
        Code.REFUSED,
    }
)
"""Answers of Envoy after which the servers of the machine are asked."""

NEXT_SERVER: Final = frozenset({Code.SERVER_FAILURE, Code.NOT_IMPLEMENTED, Code.REFUSED})
"""Answers of a server after which the next one is asked."""


class Resolver:
    """Answers queries. Any number at a time; whoever calls bounds it."""

    def __init__(self, envoy: Server, servers: NameServers) -> None:
        self._envoy = envoy
        self._servers = servers
        self._preferred: Server | None = None  # the one that has answered last
        self._seldom = Seldom(log)

    async def answer(self, query: Query, *, over_tcp: bool) -> bytes:
        """The answer to `query`; over UDP the asker may not take all of it."""
        with trio.move_on_after(ALL_SECONDS_MAX):
            known = await self._envoys_answer(query)
            if known is not None:
                return known
            ask = ask_over_tcp if over_tcp else ask_over_udp
            return await self._servers_answer(query, ask)
        return refusal(query, Code.SERVER_FAILURE)

    async def _envoys_answer(self, query: Query) -> bytes | None:
        """None: it is no name of the mesh."""
        try:
            with trio.fail_after(ENVOY_SECONDS_MAX):
                answer, code = await ask_over_udp(self._envoy, plain_question(query, new_number()))
                if code not in ELSEWHERE:
                    return answer_of_envoy(query, answer)
                if query.kind == TYPE_A:
                    return None
                # Envoy knows addresses only, and says of all else that there is no such name. For
                # a name that has an address that is wrong, and some programs then take its
                # address for void; the name is none that a server should hear of, either.
                plain = plain_question(query, new_number(), TYPE_A)
                answer, code = await ask_over_udp(self._envoy, plain)
                if code == Code.NO_ERROR and has_records(answer):
                    return refusal(query, Code.NO_ERROR)
        except NoAnswerError as error:
            self._say_that_envoy_is_silent(str(error))
        except trio.TooSlowError:
            self._say_that_envoy_is_silent(f"nothing within {ENVOY_SECONDS_MAX:.0f} s")
        return None

    async def _servers_answer(
        self, query: Query, ask: Callable[[Server, bytes], Awaitable[Answer]]
    ) -> bytes:
        servers = self._servers.now()
        if self._preferred in servers:
            servers = (self._preferred, *(each for each in servers if each != self._preferred))
        if not servers:
            self._seldom.warn(
                "none",
                "dns-no-servers: only names of the mesh are resolved: the file names no other"
                " server than this one. Name one in /etc/resolv.conf",
            )
        last = None
        for server in servers * ROUNDS_MAX:
            try:
                with trio.fail_after(SERVER_SECONDS_MAX):
                    answer, code = await ask(server, renumbered(query.message, new_number()))
            except (NoAnswerError, trio.TooSlowError) as error:
                self._say_that_it_is_silent(server, str(error))
                continue
            last = renumbered(answer, query.number)
            if code not in NEXT_SERVER:
                self._preferred = server
                break
        return refusal(query, Code.SERVER_FAILURE) if last is None else last

    def _say_that_envoy_is_silent(self, why: str) -> None:
        host, port = self._envoy
        self._seldom.warn(
            "envoy",
            f"dns-envoy-silent: Envoy's DNS on {host} port {port} does not answer"
            f" ({printable(why)}); names of the mesh are not known. The Dataplane needs"
            " networking.transparentProxying; else switch DNS off (KUMA_DNS_ENABLED=false)",
        )

    def _say_that_it_is_silent(self, server: Server, why: str) -> None:
        within = f"nothing within {SERVER_SECONDS_MAX:.0f} s"
        self._seldom.warn(
            f"server {server[0]}",
            f"dns-server-silent: the server {server[0]} of /etc/resolv.conf does not answer"
            f" ({printable(why or within)}); the next one is asked. Take it out of the file if it"
            " is gone",
        )
