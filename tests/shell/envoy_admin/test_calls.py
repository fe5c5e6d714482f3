"""The admin listener of a proxy is asked in TLS, by whoever has the right certificate.

Source: docs/wire/inspection.md#envoy-admin
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from kong_mesh_cp.core.identity import ca
from kong_mesh_cp.core.identity.access import View
from kong_mesh_cp.core.identity.users import ADMIN
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.shell.envoy_admin import calls
from kong_mesh_cp.shell.envoy_admin.calls import HttpAdminCalls
from kong_mesh_cp.usecases.data_plane.credentials.admin_authority import AdminAuthority
from kong_mesh_cp.usecases.inspection.envoy_admin import (
    AdminCallError,
    EnvoyAdmin,
    Question,
)
from kong_mesh_cp.usecases.ports.resource_store import Put
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.identity import rsa_key

HOST = "127.0.0.2"  # not where Envoy's own listener is
TOKEN = "eyJhbGciOiJSUzI1NiJ9.a-secret.of-a-proxy"
DUMP = json.dumps(
    {"configs": [{"initialMetadata": [{"key": "authorization", "value": TOKEN}], "a": TOKEN}]}
).encode()
Answer = Callable[[trio.SSLStream[trio.SocketStream], bytes], Awaitable[None]]


def authority(number: int = 0) -> bytes:
    key = rsa_key(number)
    return ca.bundle(ca.control_plane_ca("Envoy Admin CA", key, serial=7, now=AT), key)


async def store_with_authority() -> ResourceApi:
    api = ResourceApi()
    await api.put("GlobalSecret", "envoy-admin-ca", data=base64.b64encode(authority()).decode())
    return api


def answering(body: bytes, status: str = "200 OK") -> Answer:
    async def answer(stream: trio.SSLStream[trio.SocketStream], _asked: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        await stream.send_all(head.encode() + body)

    return answer


async def silent(_stream: trio.SSLStream[trio.SocketStream], _asked: bytes) -> None:
    await trio.sleep_forever()


@asynccontextmanager
async def listener(
    api: ResourceApi, folder: Path, answer: Answer, hosts: tuple[str, ...] = (HOST,)
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """The admin listener of a proxy at `hosts`: its port, and what it was asked."""
    pair = await AdminAuthority(api.store).of_proxy(hosts)
    assert pair is not None
    file = folder / "proxy.pem"
    file.write_bytes(pair.key + pair.chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=pair.authority.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True)
        try:
            await secured.do_handshake()
            asked.append(bytes(await secured.receive_some(4096)))
            await answer(secured, asked[-1])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(secured)

    async with trio.open_nursery() as nursery:
        (found,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host=HOST))
        yield found.socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


def asking(api: ResourceApi) -> HttpAdminCalls:
    return HttpAdminCalls(AdminAuthority(api.store).of_control_plane)


async def test_it_is_asked_with_the_certificate_of_the_control_plane(tmp_path: Path) -> None:
    api = await store_with_authority()
    async with listener(api, tmp_path, answering(b"stats")) as (port, asked):
        assert await asking(api).get(HOST, port, "/stats?format=json") == b"stats"
    assert asked[0].startswith(b"GET /stats?format=json HTTP/1.1\r\n")


async def test_a_proxy_of_another_authority_or_address_is_not_believed(tmp_path: Path) -> None:
    api, other = await store_with_authority(), ResourceApi()
    stranger = base64.b64encode(authority(1)).decode()
    await other.put("GlobalSecret", "envoy-admin-ca", data=stranger)
    for proxy, hosts in ((other, (HOST,)), (api, ("10.9.9.9",))):
        async with listener(proxy, tmp_path, answering(b"stats"), hosts) as (port, _):
            with pytest.raises(AdminCallError, match="TLS fails"):
                await asking(api).get(HOST, port, "/stats")


async def test_without_an_authority_nobody_is_asked() -> None:
    with pytest.raises(AdminCallError, match="envoy-admin-ca is missing or unusable"):
        await asking(ResourceApi()).get(HOST, 9901, "/stats")


async def test_a_refused_connection_is_told() -> None:
    api = await store_with_authority()
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        with pytest.raises(AdminCallError, match=r"[Rr]efused"):
            await asking(api).get(HOST, unused.getsockname()[1], "/stats")


async def test_another_status_is_told(tmp_path: Path) -> None:
    api = await store_with_authority()
    answer = answering(b"", "404 Not\x1bFound")
    async with listener(api, tmp_path, answer) as (port, _):
        with pytest.raises(AdminCallError, match="it answers with 404") as caught:
            await asking(api).get(HOST, port, "/stats")
    assert "\x1b" not in str(caught.value)


async def test_who_is_silent_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "ANSWER_SECONDS_MAX", 0.5)
    api = await store_with_authority()
    async with listener(api, tmp_path, silent) as (port, _):
        with pytest.raises(AdminCallError, match=r"no answer within|timed out"):
            await asking(api).get(HOST, port, "/stats")


async def test_a_longer_answer_than_anybody_needs_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "ANSWER_BYTES_MAX", 1000)
    api = await store_with_authority()
    async with listener(api, tmp_path, answering(b"x" * 1000)) as (port, _):
        assert len(await asking(api).get(HOST, port, "/stats")) == 1000
    async with listener(api, tmp_path, answering(b"x" * 1001)) as (port, _):
        with pytest.raises(AdminCallError, match="longer than"):
            await asking(api).get(HOST, port, "/stats")


async def proxy_at(api: ResourceApi, port: int, *, online: bool) -> EnvoyAdmin:
    await api.put("Mesh", "m")
    networking = {
        "address": HOST,
        "admin": {"port": port},
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "a"}}],
    }
    await api.put("Dataplane", "a", mesh="m", networking=networking)
    left = {} if online else {"disconnectTime": "2026-01-01T00:00:01Z"}
    subscription = {"id": "1", "connectTime": "2026-01-01T00:00:00Z", **left}
    key = ResourceKey("DataplaneInsight", "m", "a")
    await api.store.apply([Put(key=key, spec=json.dumps({"subscriptions": [subscription]}), at=AT)])
    return EnvoyAdmin(api.reading, api.access, api.store, asking(api))


async def test_a_dump_has_no_token_of_the_proxy(tmp_path: Path) -> None:
    api = await store_with_authority()
    async with listener(api, tmp_path, answering(DUMP)) as (port, asked):
        admin = await proxy_at(api, port, online=True)
        question = Question(view=View.CONFIG_DUMP, include_endpoints=True)
        told = await admin.ask(ADMIN, "Dataplane", "m", "a", question)
    assert asked[0].startswith(b"GET /config_dump?include_eds=true ")
    assert TOKEN.encode() not in told.body
    assert told.is_json
    assert json.loads(told.body)["configs"][0]["a"] == "[redacted]"


async def test_a_proxy_that_has_left_is_not_asked(tmp_path: Path) -> None:
    api = await store_with_authority()
    async with listener(api, tmp_path, answering(b"")) as (port, asked):
        admin = await proxy_at(api, port, online=False)
        with pytest.raises(ResourceRefusedError) as caught:
            await admin.ask(ADMIN, "Dataplane", "m", "a", Question(view=View.STATS))
    assert caught.value.fault is Fault.NOT_CONNECTED
    assert asked == []


async def test_why_a_connected_one_does_not_answer_is_told() -> None:
    api = await store_with_authority()
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        admin = await proxy_at(api, port, online=True)
        with pytest.raises(ResourceRefusedError) as caught:
            await admin.ask(ADMIN, "Dataplane", "m", "a", Question(view=View.CLUSTERS))
    assert caught.value.fault is Fault.NOT_ANSWERING
    assert f"{HOST}:{port}" in str(caught.value.detail)
