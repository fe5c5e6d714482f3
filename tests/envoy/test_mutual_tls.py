"""Mutual TLS between real Envoys: switched on, permissions, another authority."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Load, Place, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.data_plane.rotation import rotate
from support.data_plane.ways import WAYS

pytestmark = pytest.mark.system


def certificate_shown(place: Place) -> str:
    """What the application heard about its client; "" without TLS."""
    headers = ask(place).json.get("headers", {})
    assert isinstance(headers, dict)
    return str(headers.get("x-forwarded-client-cert", ""))


@WAYS
def test_one_write_switches_tls_on_and_the_application_hears_who_calls(
    tmp_path: Path, way: Mapping[str, str]
) -> None:
    with staged(tmp_path, way) as stage:
        web, backend = stage.pair()
        place = web.outbound("backend")
        assert certificate_shown(place) == ""
        stage.permit()

        stage.mesh("STRICT")

        eventually("the client is named", lambda: certificate_shown(place) != "")
        said = certificate_shown(place)
        assert "By=spiffe://default/backend;" in said
        assert "URI=spiffe://default/web;" in said
        eventually("it is taken from the mesh alone", lambda: not answers(backend.inbound))
        for proxy in (web, backend):
            assert set(proxy.envoy.updates("rejected").values()) == {0}
            eventually(
                "the insight has its certificate",
                lambda proxy=proxy: (
                    stage.insight(proxy).get("mTLS", {}).get("issuedBackend") == "ca-1"
                ),
            )


@WAYS
def test_without_a_permission_a_client_is_refused(tmp_path: Path, way: Mapping[str, str]) -> None:
    with staged(tmp_path, way) as stage:
        web, _ = stage.pair()
        place = web.outbound("backend")

        stage.mesh("STRICT")

        eventually("it is refused", lambda: answers(place, 403))
        assert ask(place).body == b"RBAC: access denied"
        stage.permit(service="web")
        eventually("it is permitted", lambda: answers(place))
        stage.permit(service="shop")
        eventually("another is permitted", lambda: answers(place, 403))


class Services:
    """A client of two services. To `ledger`, which speaks TCP, each request is a connection of
    its own from proxy to proxy.
    """

    def __init__(self, stage: Stage) -> None:
        self.backend = stage.start(stage.proxy("backend-1", "backend"))
        self.ledger = stage.start(stage.proxy("ledger-1", "ledger", protocol="tcp"))
        self.web = stage.start(stage.proxy("web-1", "web", to=("backend", "ledger")))
        self.places = [self.web.outbound(service) for service in self.web.to]
        for place in self.places:
            eventually("it answers", lambda place=place: answers(place))

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        return (self.backend, self.ledger, self.web)

    @contextlib.contextmanager
    def under_load(self) -> Iterator[list[Load]]:
        """Fails where a request has failed meanwhile."""
        loads = [Load(place) for place in self.places]
        with contextlib.ExitStack() as running:
            for load in loads:
                running.enter_context(load.running())
            yield loads
            for load in loads:
                load.wait_for_more()
        assert [load.failures for load in loads] == [[], []]


def _ledger_speaks_tls(services: Services) -> bool:
    """A request that was made just now was answered over the mesh's TLS."""
    before = services.web.envoy.stat("cluster.ledger.ssl.handshake")
    answered = answers(services.web.outbound("ledger"))
    return answered and services.web.envoy.stat("cluster.ledger.ssl.handshake") > before


def test_no_request_fails_on_the_way_from_plain_over_permissive_to_strict(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        services = Services(stage)
        stage.permit()
        with services.under_load() as loads:
            for load in loads:
                load.wait_for_more()
            stage.mesh("PERMISSIVE")
            eventually("backend hears", lambda: certificate_shown(services.places[0]) != "")
            eventually("ledger is called with TLS", lambda: _ledger_speaks_tls(services))
            for load in loads:
                load.wait_for_more()
            assert answers(services.backend.inbound), "a plain connection is taken as well"
            stage.mesh("STRICT")
            for proxy in (services.backend, services.ledger):
                eventually("plain is refused", lambda proxy=proxy: not answers(proxy.inbound))


def test_no_request_fails_while_the_authority_is_replaced(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        services = Services(stage)
        stage.permit()
        stage.mesh("STRICT")
        eventually("backend hears", lambda: certificate_shown(services.places[0]) != "")
        eventually("ledger is called with TLS", lambda: _ledger_speaks_tls(services))
        eventually("backend answers", lambda: answers(services.places[0]))
        with services.under_load() as loads:
            for load in loads:
                load.wait_for_more()
            said = rotate(stage, tmp_path, "ca-2")
            assert "ca-1 is trusted no longer" in said
            for proxy in services.proxies:
                eventually(
                    "it has a certificate of the new one",
                    lambda proxy=proxy: stage.insight(proxy)["mTLS"]["issuedBackend"] == "ca-2",
                )
        backends = stage.get("/meshes/default")["mtls"]["backends"]
        assert [each["name"] for each in backends] == ["ca-2"]
