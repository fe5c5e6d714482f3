"""Requests that are not calls: the same handler as over HTTP/1.1, the same limits and answers."""

from __future__ import annotations

import logging

import trio

from kong_mesh_cp.shell.http.defects import DefectsLogged
from kong_mesh_cp.shell.http.h1.answers import ALWAYS, BODILESS
from kong_mesh_cp.shell.http.h1.parsing import RequestError
from kong_mesh_cp.shell.http.h1.service import Service
from kong_mesh_cp.shell.http.h1.targets import split_target
from kong_mesh_cp.shell.http.h2.exchange import Exchange, Header
from kong_mesh_cp.shell.http.messages import Request, Response, StreamingResponse

log = logging.getLogger(__name__)

_ALWAYS = tuple((name.lower().encode(), value.encode()) for name, value in ALWAYS)


async def answer(exchange: Exchange, service: Service) -> None:
    """Read the request, ask the handler, send its answer."""
    with exchange.scope:
        try:
            await _asked(exchange, service)
        except RequestError as fault:
            response = service.error_body(fault.status, fault.code, fault.message)
            respond(exchange, service, response)


def respond(exchange: Exchange, service: Service, response: Response) -> None:
    """Answer with `response`, whether the request has come or not."""
    bodiless = response.status in BODILESS
    head: list[Header] = [(b":status", b"%d" % response.status)]
    if response.content_type:
        head.append((b"content-type", response.content_type.encode("latin-1")))
    head.append((b"cache-control", response.caching.encode("ascii")))
    head += _ALWAYS
    head.append((b"date", service.date.value_at(trio.current_time())))
    head += [_field(name, value) for name, value in response.headers]
    if not bodiless:
        head.append((b"content-length", b"%d" % len(response.body)))
    exchange.respond(head)
    if not bodiless and exchange.method != "HEAD":
        exchange.queue(response.body)
    exchange.finish()


def refuse_headers(exchange: Exchange, service: Service) -> None:
    """There are too many of them."""
    text = f"there are more than {service.limits.header_count_max} headers"
    respond(exchange, service, service.error_body(431, "headers-too-large", text))


async def _asked(exchange: Exchange, service: Service) -> None:
    limits = service.limits
    request = _request(exchange)
    with trio.move_on_after(limits.request_seconds) as arriving:
        request.body = await _body(exchange, service, request)
    if arriving.cancelled_caught:
        raise RequestError(408, "too-slow", "the request did not arrive in time")
    exchange.admitted = True
    with (
        trio.move_on_after(limits.answer_seconds) as answering,
        DefectsLogged("a handler of the control plane"),
    ):
        answer = await service.handler(request)
        if isinstance(answer, StreamingResponse):
            answer.released()  # what stays open over HTTP/2 is a call
            message = "this is answered over HTTP/1.1 only"
            answer = service.error_body(505, "http-version", message)
        respond(exchange, service, answer)
        return
    if not answering.cancelled_caught:
        message = "the control plane failed on this request; its log says why"
        raise RequestError(500, "internal-error", message)
    log.error("answer-too-slow: a request had no answer after %.0f s", limits.answer_seconds)
    message = f"there was no answer within {limits.answer_seconds:.0f} s"
    raise RequestError(500, "answer-too-slow", message)


def _request(exchange: Exchange) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in exchange.head:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == ":authority":
            headers["host"] = value
        elif name.startswith(":") or (name == "host" and name in headers):
            continue  # RFC 9113 section 8.3.1: :authority stands for Host
        elif name in headers:
            headers[name] += ("; " if name == "cookie" else ", ") + value
        else:
            headers[name] = value
    if exchange.method == "CONNECT" or not exchange.path:
        raise RequestError(501, "no-upgrade", "CONNECT and Upgrade are not offered here")
    if "host" not in headers:
        raise RequestError(400, "malformed-request", "the Host header is missing")
    try:
        path, query = split_target(exchange.path)
    except ValueError as error:
        raise RequestError(400, "malformed-request", str(error)) from error
    raw_query = exchange.path.partition("?")[2]
    return Request(exchange.method, path, query, headers, b"", exchange.peer, raw_query=raw_query)


async def _body(exchange: Exchange, service: Service, request: Request) -> bytes:
    most = service.limits.body_bytes_max
    length = request.headers.get("content-length", "")
    pieces: list[bytes] = []
    size = int(length) if length.isdecimal() and length.isascii() else 0
    if size > most:
        raise _too_large(most)
    if (expectation := request.headers.get("expect")) is not None:
        if expectation.lower() != "100-continue":
            raise RequestError(417, "unknown-expectation", "only 100-continue can be expected")
        exchange.ask_for_body()
    size = 0
    while piece := await exchange.receive(kept=size):
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(most: int) -> RequestError:
    return RequestError(413, "too-large", f"the request body is longer than {most} bytes")


def _field(name: str, value: str) -> Header:
    if not (name + value).isprintable():
        raise ValueError(f"header {name!r} would break the response: {value!r}")
    return name.lower().encode("latin-1"), value.encode("latin-1")
