"""A running Envoy that is told one snapshot after the other over ADS, and what it refuses of each."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from google.protobuf import any_pb2, json_format

from kong_mesh_cp.core.discovery.exchanges import Request, Response
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot
from kong_mesh_cp.core.discovery.sotw import SotwStream
from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed
from kong_mesh_cp.core.xds.names import ENDPOINT, LISTENER
from kong_mesh_cp.shell.dp_server.ads import AdsStream, Variant
from kong_mesh_cp.shell.dp_server.discovery_messages import SotwCodec
from kong_mesh_cp.shell.dp_server.methods import STATE_OF_THE_WORLD
from kong_mesh_cp.shell.grpc.calls import Call
from support.data_plane.real_envoy import Envoy
from support.http2.grpc_peers import serving_grpc
from support.suites.patience import HANG_SECONDS

ADMIN_PORT: Final = 61901  # of no recorded proxy
_LOGS: Final = re.compile(r'"((?:/[^"]*)?kuma-al-[^"]+)"')
_WORK: Final = "/run/kuma-dp/"
_PROXIES: Final = re.compile(rf"{_WORK}([^/\"]+)/")
_GONE: Final = "Envoy has crashed"
_IN_USE: Final = "Address already in use"


class FedEnvoy:
    """`refused`: what Envoy said, by the name of what was refused."""

    def __init__(self) -> None:
        self.refused: dict[str, list[str]] = {}
        self._call: Call | None = None
        self._table = SotwStream()
        self._codec = SotwCodec("test")
        self._fed: dict[str, str] = {}  # names by the nonce of a response
        self._wanted: dict[str, frozenset[str]] = {}  # by type
        self._now = ""
        self.is_gone = False  # it has crashed
        self._sending = trio.Lock()
        self._connected = trio.Event()
        self._news = trio.Event()

    async def serve(self, call: Call) -> None:
        """The one stream."""
        assert self._call is None, "Envoy has come again: it has lost its stream"
        stream = AdsStream(call, Variant(self._codec, lambda: self._table), lambda: False)
        self._call = call
        self._connected.set()
        try:
            while (received := await stream.receive()) is not None:
                await self._take(received.request)
        finally:
            self.is_gone = True
            self._tell()

    async def _take(self, request: Request) -> None:
        self._wanted[request.type_url] = frozenset(request.names)
        if request.refused:
            self.refused.setdefault(self._fed[request.nonce], []).append(request.error)
        await self._send(lambda: self._table.request(request))

    async def _send(self, responses: Callable[[], Iterable[Response]]) -> None:
        assert self._call is not None
        async with self._sending:
            for each in responses():
                self._fed[each.nonce] = self._now
                await self._call.send(self._codec.encode(each))
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def feed(self, name: str, snapshot: Snapshot) -> None:
        """Until it has taken or refused all of it, or is gone."""
        await self._connected.wait()
        self._now = name
        await self._send(lambda: self._table.publish(snapshot))
        with trio.fail_after(HANG_SECONDS):
            while not self.is_gone and not self._has_answered(snapshot):
                await self._news.wait()

    def _has_answered(self, snapshot: Snapshot) -> bool:
        counts = self._table.counts
        if any(each.sent != each.acknowledged + each.rejected for each in counts.values()):
            return False
        if self._table.refused:
            return True
        wanted = self._wanted.get(ENDPOINT, frozenset())
        return (
            self._table.in_sync
            and LISTENER in counts
            and snapshot.of_type(ENDPOINT).resources.keys() <= wanted
        )


@asynccontextmanager
async def _fed_envoy(binary: Path, folder: Path) -> AsyncIterator[FedEnvoy]:
    """In the network of this thread."""
    fed = FedEnvoy()
    async with serving_grpc(folder, {STATE_OF_THE_WORLD: fed.serve}) as served:
        with Envoy(binary, folder / "envoy", ADMIN_PORT) as envoy:
            # In this thread, whose network it is to have: its admin port needs nobody here.
            envoy.start(_bootstrap(served.port))
            yield fed


async def refusals(
    binary: Path, folder: Path, snapshots: Iterable[tuple[str, Snapshot]]
) -> dict[str, str]:
    """What Envoy says of those of `snapshots` that it refuses, by their name.

    After a refusal another Envoy goes on: what it refuses in part nobody could tell apart from what
    comes next. A fresh one is told what comes upon listeners that still have its addresses, or makes
    Envoy crash as a change that no proxy makes: from the configuration of one to that of another.
    """
    found: dict[str, str] = {}
    left = list(snapshots)
    while left:
        # Its access logs and sockets are below.
        place = folder / str(len(left))
        place.mkdir()
        async with _fed_envoy(binary, place) as envoy:
            is_fresh = True
            while left:
                name, snapshot = left[0]
                await envoy.feed(name, _at_home(snapshot, place / "envoy"))
                said = envoy.refused.get(name)
                if envoy.is_gone:
                    said = [_GONE]
                if said is not None and (_IN_USE in said[0] or envoy.is_gone) and not is_fresh:
                    break
                left.pop(0)
                if said is not None:
                    found[name] = said[0]
                    break
                is_fresh = False
    return found


def _bootstrap(port: int) -> bytes:
    place = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    http2 = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    tls = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {"alpn_protocols": ["h2"]},
    }
    ads = {
        "name": "ads",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
        },
        "transport_socket": {"name": "tls", "typed_config": tls},
        "load_assignment": {
            "cluster_name": "ads",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": place}}]}],
        },
    }
    from_ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    document = {
        "node": {"id": "shop.web-1", "cluster": "web"},
        "admin": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": ADMIN_PORT}}
        },
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ads"}}],
            },
            "cds_config": from_ads,
            "lds_config": from_ads,
        },
        "static_resources": {"clusters": [ads]},
    }
    return json.dumps(document).encode()


def _at_home(snapshot: Snapshot, folder: Path) -> Snapshot:
    """With the files and sockets of kuma-dp in `folder`, where Envoy runs."""
    listeners = snapshot.of_type(LISTENER).resources.values()
    return Snapshot.of(
        {
            **{url: each.resources.values() for url, each in snapshot.by_type.items()},
            LISTENER: [_moved(each, folder) for each in listeners],
        }
    )


def _moved(resource: Resource, folder: Path) -> Resource:
    if b"kuma-al-" not in resource.packed and _WORK.encode() not in resource.packed:
        return resource
    text = json.dumps({"@type": LISTENER, **json_of_packed(resource.packed)})
    for path in _LOGS.findall(text):
        (folder / path.replace("/", "-")).touch()
        text = text.replace(f'"{path}"', json.dumps(path.replace("/", "-")))
    for proxy in _PROXIES.findall(text):
        (folder / proxy).mkdir(exist_ok=True)
    # Relative: a socket's path has 107 bytes at most.
    text = text.replace(_WORK, "")
    packed = json_format.Parse(text, any_pb2.Any()).SerializeToString(deterministic=True)
    return Resource.of(resource.name, packed)
