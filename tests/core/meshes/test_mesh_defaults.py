"""The secrets a mesh is born with, and what is filled in on a write."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.meshes.mesh_defaults import (
    CaSecrets,
    ca_secrets_of,
    dataplane_signing_key,
    with_metrics_defaults,
    with_unproven_inbounds,
    with_zone_tag,
)
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.messages import read_message, write_message


def mesh(document: object) -> Mesh:
    return read_message(Mesh, document)


def test_a_builtin_ca_keeps_two_secrets() -> None:
    backends = [{"name": "ca-1", "type": "builtin"}, {"name": "ca-2", "type": "provided"}]
    secrets = ca_secrets_of("m1", mesh({"mtls": {"backends": backends}}))
    assert secrets == (CaSecrets("ca-1", "m1.ca-builtin-cert-ca-1", "m1.ca-builtin-key-ca-1"),)
    assert ca_secrets_of("m1", mesh({})) == ()


def test_the_signing_key_is_named_after_the_mesh() -> None:
    assert dataplane_signing_key("m1") == "dataplane-token-signing-key-m1-1"
    assert dataplane_signing_key("m1", 2) == "dataplane-token-signing-key-m1-2"


def conf_after_write(conf: object, backend_type: str = "prometheus") -> Any:
    backend = {"name": "p", "type": backend_type, "conf": conf}
    stored: Any = write_message(with_metrics_defaults(mesh({"metrics": {"backends": [backend]}})))
    return stored["metrics"]["backends"][0].get("conf")


DEFAULTS = {
    "port": 5670,
    "path": "/metrics",
    "tags": {"kuma.io/service": "dataplane-metrics"},
    "tls": {},
}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (None, DEFAULTS),
        ({}, DEFAULTS),
        ({"port": 1}, DEFAULTS | {"port": 1}),
        ({"path": "/x"}, DEFAULTS | {"path": "/x"}),
        ({"tags": {"a": "b"}}, DEFAULTS | {"tags": {"a": "b"}}),
        ({"skipMTLS": True}, DEFAULTS | {"skipMTLS": True, "tls": {"mode": "disabled"}}),
        ({"skipMTLS": False}, DEFAULTS | {"skipMTLS": False}),
        ({"tls": {"mode": "providedTLS"}}, DEFAULTS | {"tls": {"mode": "providedTLS"}}),
        ({"unknown": 1}, DEFAULTS),
    ],
)
def test_a_prometheus_backend_is_stored_complete(given: object, stored: object) -> None:
    assert conf_after_write(given) == stored


def test_what_was_filled_in_stays_as_it_is() -> None:
    assert conf_after_write(conf_after_write({"port": 1})) == DEFAULTS | {"port": 1}


def test_other_backends_are_left_alone() -> None:
    assert conf_after_write({"a": 1}, "other") == {"a": 1}
    assert conf_after_write({"port": "x"}) == {"port": "x"}
    assert write_message(with_metrics_defaults(mesh({}))) == {}


def dataplane(networking: object) -> Dataplane:
    return read_message(Dataplane, {"networking": networking})


def test_each_tag_set_names_the_zone() -> None:
    tagged = with_zone_tag(
        dataplane({"inbound": [{"tags": {"a": "b"}}, {}], "gateway": {"tags": {"c": "d"}}}), "east"
    )
    zone = {"kuma.io/zone": "east"}
    assert tagged.tag_sets == ({"a": "b", **zone}, zone, {"c": "d", **zone})


def test_a_zone_cannot_be_claimed() -> None:
    tagged = with_zone_tag(dataplane({"inbound": [{"tags": {"kuma.io/zone": "west"}}]}), "east")
    assert tagged.tag_sets == ({"kuma.io/zone": "east"},)


def test_what_has_a_probe_is_not_ready_at_first() -> None:
    created = with_unproven_inbounds(
        dataplane({"inbound": [{"port": 1, "serviceProbe": {"tcp": {}}}, {"port": 2}]})
    )
    assert created.networking is not None
    assert [each.is_ready for each in created.networking.inbound] == [False, True]
    assert write_message(created.networking.inbound[0]) == {
        "port": 1,
        "health": {},
        "serviceProbe": {"tcp": {}},
        "state": "NotReady",
    }


def test_a_dataplane_without_networking_is_left_alone() -> None:
    empty = read_message(Dataplane, {})
    assert with_zone_tag(empty, "east") == empty
    assert with_unproven_inbounds(empty) == empty
