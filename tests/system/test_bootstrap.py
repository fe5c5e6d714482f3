"""The first configuration of a proxy, from outside."""

from __future__ import annotations

import base64
import json
import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import yaml

from support.daemons.daemon import Answer, Daemon, eventually
from support.daemons.tls_peers import pair

pytestmark = pytest.mark.system

REQUEST = {"mesh": "default", "name": "web-1", "dataplaneToken": "a.b.c", "workdir": "/run"}
BODY = {"Content-Type": "application/json"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path) as daemon:
        yield daemon


def dataplane(name: str) -> bytes:
    inbound = {"port": 8080, "tags": {"kuma.io/service": "web"}}
    networking = {"address": "10.0.0.1", "inbound": [inbound]}
    document = {"type": "Dataplane", "mesh": "default", "name": name, "networking": networking}
    return json.dumps(document).encode()


def apply(daemon: Daemon, name: str = "web-1") -> None:
    path = f"/meshes/default/dataplanes/{name}"
    assert daemon.api("PUT", path, BODY, dataplane(name)).status == 201


def envoy_of(answer: Answer) -> dict[str, object]:
    encoded = answer.json["bootstrap"]
    assert isinstance(encoded, str)
    document = yaml.safe_load(base64.b64decode(encoded))
    assert isinstance(document, dict)
    return document


def test_a_proxy_is_told_how_to_start_its_envoy(daemon: Daemon) -> None:
    daemon.start()
    apply(daemon)
    answer = daemon.bootstrap(REQUEST)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json["kumaSidecarConfiguration"] == {
        "networking": {
            "isUsingTransparentProxy": False,
            "corefileTemplate": None,
            "address": "10.0.0.1",
        },
        "metrics": {"aggregate": []},
    }
    resources = envoy_of(answer)["staticResources"]
    assert isinstance(resources, dict)
    authority = resources["secrets"][0]["validationContext"]["trustedCa"]["inlineBytes"]
    assert base64.b64decode(authority) == (daemon.state / "kuma-cp.crt").read_bytes()

    bare = daemon.bootstrap(REQUEST, {"accept": "*/*"})
    assert bare.headers["Content-Type"] == "text/x-yaml"
    assert yaml.safe_load(bare.body) == envoy_of(answer)


def _said(daemon: Daemon, line: str) -> bool:
    return line in daemon.stderr


def test_refusals_have_the_statuses_that_kuma_dp_knows(daemon: Daemon) -> None:
    daemon.start()
    apply(daemon)
    found = {
        "not JSON": daemon.bootstrap(b"{"),
        "absent": daemon.bootstrap({**REQUEST, "name": "web-2"}),
        "no token": daemon.bootstrap({**REQUEST, "dataplaneToken": ""}),
        "no kind": daemon.bootstrap({**REQUEST, "proxyType": "x"}),
        "other host": daemon.bootstrap(REQUEST, {"host": "other.example:5678"}),
    }
    assert {name: (each.status, bool(each.body)) for name, each in found.items()} == {
        "not JSON": (400, False),
        "absent": (404, False),
        "no token": (422, True),
        "no kind": (500, False),
        "other host": (400, True),
    }
    assert b'"other.example" address' in found["other host"].body
    for line in (
        'bootstrap-absent: default.web-2: Dataplane "web-2" of mesh "default" is not there. Make it',
        'bootstrap-impossible: default.web-1: unknown proxy type "x". Correct what kuma-dp is',
        " [...]. Start kuma-dp with an address that the certificate of dpServer is for",
    ):
        eventually("told", partial(_said, daemon, line))
    assert "a.b.c" not in daemon.stderr


def test_under_the_bundled_license_the_sixth_is_not_started(daemon: Daemon) -> None:
    daemon.start()
    apply(daemon)
    with ExitStack() as others:
        first, *_ = [others.enter_context(daemon.seat(f"other-{each}")) for each in range(5)]
        answer = daemon.bootstrap(REQUEST)
        assert answer.status == 403
        assert answer.body.startswith(b"license-limit: ")
        first.leave()
        eventually("a seat is free", lambda: daemon.bootstrap(REQUEST).status == 200)


def test_a_renewed_certificate_is_the_authority_of_those_who_start_then(daemon: Daemon) -> None:
    folder = daemon.directory / "tls"
    folder.mkdir(parents=True)
    certificate, key = pair("first").write(folder)
    daemon.environment["KUMA_DP_SERVER_TLS_CERT_FILE"] = str(certificate)
    daemon.environment["KUMA_DP_SERVER_TLS_KEY_FILE"] = str(key)
    daemon.environment["KUMA_BOOTSTRAP_SERVER_PARAMS_XDS_HOST"] = "localhost"
    daemon.start()
    apply(daemon)
    unverified = ssl._create_unverified_context()  # its name does not matter

    def authority() -> bytes:
        envoy = envoy_of(daemon.bootstrap(REQUEST, context=unverified))
        resources = envoy["staticResources"]
        assert isinstance(resources, dict)
        inline = resources["secrets"][0]["validationContext"]["trustedCa"]["inlineBytes"]
        return base64.b64decode(inline)

    assert authority() == certificate.read_bytes()
    pair("second").write(folder)
    daemon.send_signal(signal.SIGHUP)
    eventually("renewed", lambda: authority() == certificate.read_bytes())
    assert "xds-host-not-in-certificate: " in daemon.stderr


def test_a_global_control_plane_serves_no_proxies(daemon: Daemon) -> None:
    daemon.environment["KUMA_MODE"] = "global"
    daemon.start()
    assert "proxies" not in daemon.addresses
