"""The policies a mesh is born with."""

from __future__ import annotations

import json

import pytest

from kong_mesh_cp.core.meshes.initial_policies import is_initial_policy, policies_of_new_mesh
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from support.suites.validation_cases import shared_folder

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
        assert is_initial_policy(resource_type, "m1", name)
    assert not is_initial_policy("MeshTimeout", "m2", "mesh-timeout-all-m1")
    assert not is_initial_policy("MeshRetry", "m1", "mesh-timeout-all-m1")
