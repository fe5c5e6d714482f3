"""The proxy of probes: plain HTTP in, a question to an application of this machine out.

Source: docs/wire/beside-envoy.md#probes
"""

from __future__ import annotations

import functools
import logging
import ssl
from functools import partial
from typing import Final

import trio

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.host.clocks import wall_clock
from kong_mesh_cp.shell.host.listening import address_of, open_tcp
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.plain_text import PLAIN_TEXT, plain_text_error
from kong_mesh_cp.shell.http.server import serve_http
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits
from kuma_dp.applications import connect
from kuma_dp.fetching import FetchError, Wanted, fetch_status
from kuma_dp.grpc_call import CallError, call
from kuma_dp.probes.probe import SECONDS_MAX, Probe, health_check, read_probe, says_serving

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 256
SETTING: Final = "KUMA_APPLICATION_PROBE_PROXY_PORT"
USER_AGENT: Final = "kuma-probe"
LIMITS: Final = Limits(connections_max=CONNECTIONS_MAX, answer_seconds=SECONDS_MAX + 5)
HEALTHY: Final = "HEALTHY"
UNHEALTHY: Final = "UNHEALTHY"
UNKNOWN: Final = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """Where probes come in, and whose applications they ask."""

    port: int  # KUMA_APPLICATION_PROBE_PROXY_PORT; the caller does not serve where it is 0
    address: str  # of the applications: kumaSidecarConfiguration.networking.address
    redirected: bool = False  # kumaSidecarConfiguration.networking.isUsingTransparentProxy
    host: str = "::"  # an address to listen on; this is all of them


async def serve(
    settings: ProbeSettings, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer until cancelled. Started, with the port, when it listens.

    Raises: ListenError (`port-taken`, `port-forbidden`, `address-unknown`).
    """
    with open_tcp(settings.host, settings.port, setting=SETTING) as listener:
        opened = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    serve_http,
                    opened,
                    partial(_answer, settings),
                    limits=LIMITS,
                    error_body=plain_text_error,
                    wall_clock=wall_clock,
                    conversations=nursery,
                    drain=Drain(),
                )
            )
            log.info("probes-serving: applications are asked for at %s", address_of(listener))
            task_status.started(listener.getsockname()[1])


async def _answer(settings: ProbeSettings, request: Request) -> Response:
    probe = read_probe(request.path, request.raw_query, request.headers)
    if probe is None:
        return _said(UNKNOWN, 503)
    status = 503
    try:
        with trio.fail_after(probe.seconds):
            status = await _asked(settings, probe)
    except (FetchError, CallError, OSError) as error:
        why = str(error)
    except trio.TooSlowError:
        why = f"no answer within {probe.seconds:.0f} s"
    else:
        if 200 <= status < 400:
            return _said(HEALTHY, 200)
        why = f"it answers with {status}"
    log.debug("probe-failed: %s on port %d: %s", probe.kind, probe.port, printable(why))
    # What the application says helps who looks for the reason.
    return _said(UNHEALTHY, status if 400 <= status < 600 else 503)


async def _asked(settings: ProbeSettings, probe: Probe) -> int:
    """The status that the application answers with, in that of HTTP."""
    authority = join_host_port(settings.address, probe.port)
    if probe.kind == "http":
        headers = dict(probe.headers)
        headers.setdefault("user-agent", USER_AGENT)
        wanted = Wanted(
            connect=partial(_connected, settings, probe),
            authority=probe.authority or authority,
            target=probe.target,
            headers=headers,
        )
        return await fetch_status(wanted)
    stream = await _connected(settings, probe)
    async with stream:
        if probe.kind == "tcp":
            return 200
        answer = await call(
            stream,
            authority=authority,
            path="/grpc.health.v1.Health/Check",
            message=health_check(probe.service),
            user_agent=USER_AGENT,
        )
    return 200 if says_serving(answer) else 503


async def _connected(settings: ProbeSettings, probe: Probe) -> trio.abc.Stream:
    stream = await connect(settings.address, probe.port, redirected=settings.redirected)
    if not (probe.secure and probe.kind == "http"):
        return stream
    return trio.SSLStream(stream, _any_certificate(), https_compatible=True)


@functools.cache
def _any_certificate() -> ssl.SSLContext:
    """Who is there is no question of a probe; so no authorities are read, which takes long."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _said(word: str, status: int) -> Response:
    return Response(
        status, f"{word}\n".encode(), PLAIN_TEXT, (("X-Content-Type-Options", "nosniff"),)
    )
