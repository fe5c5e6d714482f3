"""Real Envoys as gateways: the way into a mesh, and the only way from mesh to mesh."""

from __future__ import annotations

import http.client
import socket
from functools import partial
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.daemons.tls_peers import pair
from support.data_plane.applications import Load, Place, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.data_plane.gateways import (
    HTTP,
    HTTPS,
    Gateway,
    ask_in_tls,
    put_certificate,
    put_gateway,
    put_route,
    secured,
    shown_certificate,
    start_gateway,
    trusting_all,
)

pytestmark = pytest.mark.system

HOST = "shop.example"
PLAIN = {"port": HTTP, "protocol": "HTTP"}
SECURED = {
    "port": HTTPS,
    "protocol": "HTTPS",
    "hostname": HOST,
    "tls": {"mode": "TERMINATE", "certificates": [{"secret": "edge"}]},
}


def backend_of(stage: Stage) -> Proxy:
    """The service of a mesh whose proxies speak TLS and nothing else; the gateway may call it."""
    backend = stage.start(stage.proxy("backend-1", "backend"))
    stage.mesh("STRICT")
    stage.permit(service="edge", about="backend")
    put_route(stage, "backend")
    return backend


def refused(place: Place) -> bool:
    """Nothing that is plain is answered there."""
    try:
        ask(place)
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_requests_come_into_the_mesh_by_http_and_by_tls(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        backend = backend_of(stage)
        certificate = pair(HOST)
        put_certificate(stage, certificate)
        put_gateway(stage, PLAIN, SECURED)
        gateway = start_gateway(stage, HTTP, HTTPS)

        eventually("it answers", lambda: answers(gateway.at(HTTP)))
        assert ask(gateway.at(HTTP)).json["application"] == backend.name
        answer = ask_in_tls(gateway.at(HTTPS), (certificate,), HOST)

        assert answer.json["application"] == backend.name
        assert refused(gateway.at(HTTPS))
        assert refused(backend.inbound)  # it is reached in the mesh's TLS alone
        assert set(gateway.envoy.updates("rejected").values()) == {0}
        eventually("it is online", lambda: stage.is_online(gateway))


def test_a_certificate_is_replaced_without_a_failed_request(tmp_path: Path) -> None:
    old, new = pair(HOST), pair(HOST, days=20)
    with staged(tmp_path) as stage:
        backend_of(stage)
        put_certificate(stage, old)
        put_gateway(stage, SECURED)
        gateway = start_gateway(stage, HTTPS)
        place = gateway.at(HTTPS)
        by = partial(ask_in_tls, trusted=(old, new), hostname=HOST)
        eventually("it answers", lambda: by(place).status == 200)
        listeners = gateway.envoy.stat("listener_manager.listener_modified")
        load = Load(place, by=by)
        with load.running():
            load.wait_for_more()
            assert shown_certificate(place, HOST) == old.certificate.decode()

            put_certificate(stage, new)

            eventually(
                "the new one is shown",
                lambda: shown_certificate(place, HOST) == new.certificate.decode(),
            )
            load.wait_for_more()
        assert load.failures == []
        # It came by itself: no listener was made anew for it.
        assert gateway.envoy.stat("listener_manager.listener_modified") == listeners


def test_no_more_connections_are_taken_than_a_listener_is_for(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        backend_of(stage)
        put_gateway(stage, {**PLAIN, "resources": {"connectionLimit": 2}})
        gateway = start_gateway(stage, HTTP)
        place = gateway.at(HTTP)
        eventually("it answers", lambda: answers(place))

        with socket.create_connection(place), socket.create_connection(place):
            eventually("a third is refused", lambda: refused(place))
        eventually("there is room again", lambda: answers(place))

        put_gateway(stage, PLAIN)
        eventually("the bound has gone", lambda: _takes_three(place))


def _takes_three(place: Place) -> bool:
    with socket.create_connection(place), socket.create_connection(place):
        return answers(place)


def bank_client(stage: Stage) -> Proxy:
    """A proxy of the mesh `bank`, which has mTLS of its own."""
    stage.mesh("STRICT", name="bank")
    till = stage.proxy("till-1", "till", mesh="bank", to=("edge", "backend", "nothing"))
    asked = till.resource
    for outbound, tags in zip(
        asked["networking"]["outbound"],
        (
            {"kuma.io/service": "edge", "kuma.io/mesh": "default"},
            {"kuma.io/service": "backend", "kuma.io/mesh": "default"},
            {"kuma.io/service": "backend"},
        ),
        strict=True,
    ):
        outbound["tags"] = tags
    stage.put(till.path, asked)
    return stage.start(till, registers=False)


def across_meshes(stage: Stage) -> tuple[Gateway, Proxy, Proxy]:
    """A gateway of the mesh `default` for other meshes, what is behind it, and who calls it."""
    backend = backend_of(stage)
    put_gateway(stage, {**PLAIN, "hostname": "shop.mesh", "crossMesh": True})
    gateway = start_gateway(stage, HTTP)
    till = bank_client(stage)
    return gateway, backend, till


def refused_in_tls(place: Place) -> bool:
    """Who shows no certificate gets no answer, though it speaks as proxies do."""
    context = trusting_all()
    context.set_alpn_protocols(["kuma"])
    try:
        with secured(place, context, "edge{mesh=default}") as connection:
            # With TLS 1.3 a client hears only now that a certificate was asked for.
            connection.sendall(b"GET / HTTP/1.1\r\nHost: shop.mesh\r\n\r\n")
            return not connection.recv(1)
    except OSError:
        return True


def ask_shop(place: Place) -> int:
    return ask(place, headers={"Host": "shop.mesh"}).status


def test_a_gateway_for_other_meshes_is_the_only_way_from_one_to_the_other(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        gateway, backend, till = across_meshes(stage)
        way = till.outbound("edge")

        eventually("it is answered", lambda: ask_shop(way) == 200)

        answer = ask(way, headers={"Host": "shop.mesh"})
        assert answer.json["application"] == backend.name
        cluster = _cluster_across(till)
        assert till.envoy.stat(f"cluster.{cluster}.ssl.handshake") > 0
        # Its services are nothing to the other mesh, by whatever name.
        assert not answers(till.outbound("backend"))
        assert not answers(till.outbound("nothing"))
        # Nobody without a certificate of some mesh gets in, not even at the gateway.
        assert refused(gateway.at(HTTP))
        assert refused_in_tls(gateway.at(HTTP))
        assert refused(backend.inbound)
        for proxy in (gateway, till):
            assert set(proxy.envoy.updates("rejected").values()) == {0}

        put_gateway(stage, {**PLAIN, "hostname": "shop.mesh", "port": HTTP + 1})

        eventually("it is not for other meshes any more", lambda: not answers(way))


def _cluster_across(proxy: Proxy) -> str:
    names = proxy.envoy.stats("^cluster[.]edge-.*ssl[.]handshake$")
    return next(iter(names)).split(".")[1]


def test_a_new_authority_of_the_other_mesh_is_taken_without_a_failed_request(
    tmp_path: Path,
) -> None:
    with staged(tmp_path) as stage:
        gateway, _, till = across_meshes(stage)
        way = till.outbound("edge")
        eventually("it is answered", lambda: ask_shop(way) == 200)
        load = Load(way, by=partial(ask, headers={"Host": "shop.mesh"}))
        taken = gateway.envoy.updates("success")
        with load.running():
            load.wait_for_more()

            # Another mesh with mTLS: all gateways for other meshes take its proxies from now on.
            stage.mesh("STRICT", name="coop")

            eventually(
                "the gateway knows it", lambda: _authorities(gateway) != _authorities_of(taken)
            )
            load.wait_for_more()
        assert load.failures == []


def _authorities(gateway: Gateway) -> int:
    return _authorities_of(gateway.envoy.updates("success"))


def _authorities_of(updates: dict[str, int]) -> int:
    return sum(count for name, count in updates.items() if "mesh_ca_secret_all" in name)


def test_gateways_need_no_room_in_the_license(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        for number in range(5):
            stage.start(stage.proxy(f"web-{number}", "web"), serves=False)
        assert stage.bootstrap(stage.proxy("late-1")).status == 403
        put_gateway(stage, PLAIN)

        start_gateway(stage, HTTP)
        start_gateway(stage, name="edge-2", kind="DELEGATED")

        assert stage.daemon.api("GET", "/license").json["activeDataplaneProxies"] == 5
        eventually(
            "they are shown as gateways",
            lambda: (
                stage.get("/mesh-insights/default")["dataplanesByType"].get("gateway", {})
                == {"total": 2, "online": 2}
            ),
        )
