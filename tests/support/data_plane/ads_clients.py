"""Envoys of a spawned daemon: grpc's own client on its port for proxies."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any, Self

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.struct_pb2 import Struct

from kong_mesh_cp.core.discovery.type_order import CLUSTERS
from kong_mesh_cp.shell.dp_server.methods import STATE_OF_THE_WORLD
from support.daemons.daemon import Answer, Daemon
from support.suites.patience import HANG_SECONDS

JSON = {"Content-Type": "application/json"}


def certificate(port: int) -> bytes:
    """Trusted as it is, as by a proxy that was told nothing about it."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=HANG_SECONDS).encode()


def token(daemon: Daemon, mesh: str = "default") -> str:
    """For all proxies of the mesh."""
    body = json.dumps({"mesh": mesh, "validFor": "24h"}).encode()
    answer = daemon.api("POST", "/tokens/dataplane", JSON, body)
    assert answer.status == 200, answer
    return answer.body.decode()


def dataplane(name: str, mesh: str = "default") -> Mapping[str, object]:
    inbound = {"port": 8080, "tags": {"kuma.io/service": "backend"}}
    networking = {"address": "127.0.0.1", "inbound": [inbound]}
    return {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}


def first_request(name: str, mesh: str = "default") -> bytes:
    """Of a proxy that brings its Dataplane."""
    metadata = Struct()
    metadata.update({"dataplane.resource": json.dumps(dataplane(name, mesh))})
    node = Node(id=f"{mesh}.{name}", metadata=metadata)
    message: bytes = DiscoveryRequest(node=node, type_url=CLUSTERS).SerializeToString()
    return message


def acknowledgement(message: bytes) -> bytes:
    response = DiscoveryResponse.FromString(message)
    answer: bytes = DiscoveryRequest(
        type_url=response.type_url,
        version_info=response.version_info,
        response_nonce=response.nonce,
    ).SerializeToString()
    return answer


def bootstrap(daemon_port: int, name: str, credential: str) -> Answer:
    """What kuma-dp asks before it starts Envoy."""
    body = {
        "mesh": "default",
        "name": name,
        "proxyType": "dataplane",
        "dataplaneToken": credential,
        "dataplaneResource": json.dumps(dataplane(name)),
        "workdir": "/tmp",
    }
    trusted = ssl.create_default_context(cadata=certificate(daemon_port).decode())
    connection = http.client.HTTPSConnection(
        "localhost", daemon_port, timeout=HANG_SECONDS, context=trusted
    )
    try:
        connection.request("POST", "/bootstrap", json.dumps(body), JSON)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


class AdsProxy:
    """One stream of a proxy. It has `joined` when its first response is there; else it has ended,
    with `status` and `text`.
    """

    def __init__(self, port: int, name: str, credential: str) -> None:
        credentials = grpc.ssl_channel_credentials(certificate(port))
        options = [("grpc.ssl_target_name_override", "localhost")]
        self._channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        self._said.put(first_request(name))
        self._call: Any = self._channel.stream_stream(STATE_OF_THE_WORLD, None, None)(
            iter(self._said.get, None),
            metadata=(("authorization", credential),),
            timeout=HANG_SECONDS,
        )
        self._decided, self._over = threading.Event(), threading.Event()
        self.joined = False
        self.status: grpc.StatusCode | None = None
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self._decided.wait(HANG_SECONDS)

    def _read(self) -> None:
        try:
            for message in self._call:
                self.joined = True
                self._said.put(acknowledgement(message))
                self._decided.set()
        except grpc.RpcError:
            pass
        self.status, self.text = self._call.code(), self._call.details()
        self._over.set()
        self._decided.set()

    def wait_for_end(self) -> None:
        assert self._over.wait(HANG_SECONDS)

    def leave(self) -> None:
        self._call.cancel()
        self._said.put(None)
        self._reader.join(HANG_SECONDS)
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
