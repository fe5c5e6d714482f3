"""What is born with a mesh, and what is filled in on a write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kong_mesh_cp.core.resources.defaults import (
    CaSecrets,
    ca_secrets_of,
    dataplane_signing_key,
    is_born_with_mesh,
    policies_of_new_mesh,
    with_metrics_defaults,
    with_unproven_inbounds,
    with_zone_tag,
)
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.proto import read_message, write_message
from support.validation_cases import shared_folder

FOUR = {
    "mesh-gateways-timeout-all-m1": "MeshTimeout",
    "mesh-timeout-all-m1": "MeshTimeout",
    "mesh-circuit-breaker-all-m1": "MeshCircuitBreaker",
    "mesh-retry-all-m1": "MeshRetry",
}


def names(*skipped: str, routing: bool = False) -> dict[str, str]:
    born = policies_of_new_mesh("m1", skipped, routing=routing)
    return {each.name: each.type for each in born}


def test_a_mesh_is_born_with_four_policies() -> None:
    assert names() == FOUR


def test_the_star_skips_all_of_them() -> None:
    assert names("*") == {}
    assert names("MeshRetry", "*") == {}


def test_types_can_be_skipped_one_by_one() -> None:
    assert set(names("MeshTimeout", "MeshRetry").values()) == {"MeshCircuitBreaker"}


@pytest.mark.parametrize("skipped", ["mesh-timeout-all-m1", "meshtimeout", "Unknown", ""])
def test_what_names_no_type_skips_nothing(skipped: str) -> None:
    assert names(skipped) == FOUR


def test_an_older_control_plane_also_made_routing() -> None:
    extra = {"allow-all-m1": "TrafficPermission", "route-all-m1": "TrafficRoute"}
    assert names(routing=True) == FOUR | extra
    assert names("TrafficRoute", routing=True) == FOUR | {"allow-all-m1": "TrafficPermission"}


def test_each_default_is_the_documented_one() -> None:
    bodies = {each.name: each.body["spec"] for each in policies_of_new_mesh("m1")}
    whole = {"kind": "Mesh"}
    retries = {
        "numRetries": 5,
        "perTryTimeout": "16s",
        "backOff": {"baseInterval": "25ms", "maxInterval": "250ms"},
    }
    assert bodies["mesh-retry-all-m1"] == {
        "targetRef": whole,
        "to": [
            {
                "targetRef": whole,
                "default": {"tcp": {"maxConnectAttempt": 5}, "http": retries, "grpc": retries},
            }
        ],
    }
    assert bodies["mesh-timeout-all-m1"] == {
        "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
        "to": [
            {
                "targetRef": whole,
                "default": {
                    "connectionTimeout": "5s",
                    "idleTimeout": "1h0m0s",
                    "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m0s"},
                },
            }
        ],
        "from": [
            {
                "targetRef": whole,
                "default": {
                    "connectionTimeout": "10s",
                    "idleTimeout": "2h0m0s",
                    "http": {
                        "requestTimeout": "0s",
                        "streamIdleTimeout": "1h0m0s",
                        "maxStreamDuration": "0s",
                    },
                },
            }
        ],
    }


def test_the_routing_policies_are_valid() -> None:
    for each in policies_of_new_mesh("m1", routing=True)[4:]:
        kind = KINDS.get(each.type)
        if kind is not None:
            assert list(kind.validate(kind.parse(each.body))) == []
            assert kind.render(kind.parse(each.body)) == each.body


def test_the_shared_data_sees_the_same_policies() -> None:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    data = folder / "conformance/suites/api-mesh-lifecycle/data"
    ours = {
        each.name: {"type": each.type, "mesh": "m1", "name": each.name, **each.body}
        for each in policies_of_new_mesh("m1")
    }
    listed = json.loads((data / "default-policies-created_01.golden.json").read_text())["items"]
    for number in ("02", "03"):
        path = data / f"default-policies-created_{number}.golden.json"
        listed.append(json.loads(path.read_text()))
    assert {each["name"]: each for each in listed} == ours


def test_a_policy_that_was_born_with_its_mesh_is_known() -> None:
    for name, resource_type in FOUR.items():
        assert is_born_with_mesh(resource_type, "m1", name)
    assert not is_born_with_mesh("MeshTimeout", "m2", "mesh-timeout-all-m1")
    assert not is_born_with_mesh("MeshRetry", "m1", "mesh-timeout-all-m1")


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
