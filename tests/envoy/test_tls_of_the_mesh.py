"""MeshTLS and permissions are seen by whoever connects to a real Envoy."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.data_plane.applications import Place
from support.data_plane.envoy_stage import Stage, answers, staged
from support.suites.patience import HANG_SECONDS

pytestmark = pytest.mark.system

TOO_OLD = "PROTOCOL_VERSION"  # the alert that says so, as OpenSSL names it


def hello(place: Place, newest: ssl.TLSVersion) -> str:
    """Why a client without a certificate is turned away, which speaks nothing newer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    with socket.create_connection(place, HANG_SECONDS) as plain:
        try:
            with context.wrap_socket(plain) as secured:
                # With TLS 1.3 a client hears only now that a certificate was asked for.
                secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return f"not at all: {secured.recv(1)!r}"
        except ssl.SSLError as error:
            return str(error.reason)


def hard(stage: Stage, **conf: object) -> None:
    name = "mesh-tls"
    stage.put(
        f"/meshes/default/meshtlses/{name}",
        {
            "type": "MeshTLS",
            "mesh": "default",
            "name": name,
            "spec": {"targetRef": {"kind": "Mesh"}, "rules": [{"default": conf}]},
        },
    )


def test_a_client_with_an_older_version_of_tls_is_refused(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        stage.permit()
        stage.mesh("STRICT")
        eventually(
            "plain is refused",
            lambda: not answers(backend.inbound) and answers(web.outbound("backend")),
        )
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert TOO_OLD not in hello(backend.inbound, version)

        # A proxy that connects speaks TLS 1.2 at most, unless it is told otherwise.
        hard(stage, tlsVersion={"min": "TLS13", "max": "TLS13"})

        eventually(
            "it is too old", lambda: TOO_OLD in hello(backend.inbound, ssl.TLSVersion.TLSv1_2)
        )
        assert TOO_OLD not in hello(backend.inbound, ssl.TLSVersion.TLSv1_3)
        # The other side has the same, and they go on.
        eventually(
            "they speak the new version",
            lambda: (
                answers(web.outbound("backend"))
                and web.envoy.stat("cluster.backend.ssl.versions.TLSv1.3") > 0
            ),
        )

        hard(
            stage,
            tlsVersion={"min": "TLS12", "max": "TLS12"},
            tlsCiphers=["ECDHE-ECDSA-AES256-GCM-SHA384"],
        )

        cipher = "cluster.backend.ssl.ciphers.ECDHE-ECDSA-AES256-GCM-SHA384"
        eventually(
            "they speak the old version with the cipher that is left",
            lambda: answers(web.outbound("backend")) and web.envoy.stat(cipher) > 0,
        )
        assert [each.envoy.rejected() for each in (web, backend)] == [[], []]


def test_the_mode_of_a_policy_takes_the_place_of_the_meshs(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        stage.permit()
        stage.mesh("STRICT")
        eventually("plain is refused", lambda: not answers(backend.inbound))

        hard(stage, mode="Permissive")

        eventually("plain is taken", lambda: answers(backend.inbound))
        assert answers(web.outbound("backend"))
        hard(stage, mode="Strict")
        stage.mesh("PERMISSIVE")
        eventually("plain is refused", lambda: not answers(backend.inbound))
        eventually("the mesh's TLS is taken", lambda: answers(web.outbound("backend")))


def test_a_shadow_denial_is_counted_and_lets_pass(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        web, backend = stage.pair()
        stage.permit("Deny")
        stage.mesh("STRICT")
        eventually("it is denied", lambda: answers(web.outbound("backend"), 403))

        stage.permit("AllowWithShadowDeny")

        eventually("it passes", lambda: answers(web.outbound("backend")))
        counted = backend.envoy.stats("rbac.shadow_denied$")
        assert sum(counted.values()) > 0
