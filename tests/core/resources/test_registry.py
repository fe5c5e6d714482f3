"""The table of types, against what a control plane lists and what the shared data says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.resources.meta import Scope
from kong_mesh_cp.core.resources.registry import TYPES, Kds, Policy
from support.suites.validation_cases import shared_folder


def test_the_rows_are_sorted_and_named_once() -> None:
    names = list(TYPES)
    assert names == sorted(names)
    assert len(names) == 54


def test_no_two_types_share_a_path() -> None:
    paths = [each.path for each in TYPES.values() if each.path]
    assert len(paths) == len(set(paths))


def test_only_config_has_no_path() -> None:
    assert [name for name, each in TYPES.items() if not each.path] == ["Config"]


def test_no_two_types_share_a_name_of_kumactl() -> None:
    names = [name for each in TYPES.values() for name in each.kumactl]
    assert len(names) == len(set(names))


def test_what_is_read_only_is_an_insight() -> None:
    read_only = {name for name, each in TYPES.items() if each.read_only}
    assert read_only == {name for name in TYPES if name.endswith("Insight")}
    assert [name for name, each in TYPES.items() if each.virtual] == ["ServiceInsight"]


def test_secrets_are_for_administrators() -> None:
    assert [name for name, each in TYPES.items() if each.admin_only] == ["GlobalSecret", "Secret"]


def test_sixteen_policies_have_a_target_ref() -> None:
    ours = [each for each in TYPES.values() if each.is_target_ref_policy and not each.kong_only]
    assert len(ours) == 16
    assert all(each.plugin and each.is_mesh_scoped for each in ours)
    assert all(each.kds == Kds(7) for each in ours)


def test_thirteen_policies_are_older() -> None:
    legacy = [each for each in TYPES.values() if each.is_policy and not each.is_target_ref_policy]
    assert len(legacy) == 13
    assert not any(each.plugin for each in legacy)


def test_services_have_a_status() -> None:
    with_status = [name for name, each in TYPES.items() if each.has_status]
    assert with_status == ["MeshExternalService", "MeshMultiZoneService", "MeshService"]


def test_a_global_control_plane_writes_nothing_that_only_zones_make() -> None:
    refused = {name for name, each in TYPES.items() if each.only_from_zone}
    assert refused >= {"Dataplane", "ZoneIngress", "ZoneEgress", "MeshService"}
    assert not refused & {"Mesh", "MeshTimeout", "Secret", "MeshGateway", "Zone"}


def test_a_zone_provides_proxies_secrets_and_policies() -> None:
    provided = {name for name, each in TYPES.items() if each.provided_by_zone}
    assert provided >= {"Dataplane", "Secret", "GlobalSecret", "MeshRetry", "MeshService"}
    assert not provided & {"Mesh", "ExternalService", "TrafficRoute", "MeshMultiZoneService"}


def test_every_kind_is_a_type() -> None:
    assert set(KINDS) <= set(TYPES)
    assert all(kind.type == name for name, kind in KINDS.items())


@pytest.fixture
def conformance() -> Any:
    folder = shared_folder()
    if folder is None:
        pytest.skip("no shared data beside the checkout")
    return folder / "conformance/suites"


def test_paths_and_scopes_are_those_of_the_shared_data(conformance: Any) -> None:
    types = yaml.safe_load((conformance / "types.yaml").read_text())
    for name, expected in types.items():
        row = TYPES[name]
        found = {"path": row.path, "readOnly": row.read_only, "scope": row.scope.value}
        assert found == expected, name


def test_the_list_of_types_is_that_of_kuma(conformance: Any) -> None:
    listed = json.loads(
        (conformance / "api-base-endpoints/data/_resources.golden.json").read_text()
    )
    expected = {each["name"]: each for each in listed["resources"]}
    shown = {name: each for name, each in TYPES.items() if each.path and not each.kong_only}
    assert list(shown) == [each["name"] for each in listed["resources"]]
    for name, row in shown.items():
        found = {
            "includeInFederation": row.included_in_federation,
            "name": name,
            "path": row.path,
            "pluralDisplayName": row.plural,
            "readOnly": row.read_only,
            "scope": row.scope.value,
            "singularDisplayName": row.singular,
        }
        if row.policy is not None:
            found["policy"] = {
                "hasFromTargetRef": Policy.FROM in row.policy,
                "hasToTargetRef": Policy.TO in row.policy,
                "isFromAsRules": Policy.FROM_AS_RULES in row.policy,
                "isTargetRef": row.is_target_ref_policy,
            }
        assert found == expected[name]


def test_the_table_says_what_lists_show() -> None:
    row = TYPES["MeshTLS"]
    assert (row.singular, row.plural, row.path) == ("Mesh TLS", "Mesh TLSes", "meshtlses")
    assert row.scope is Scope.MESH
    assert row.kumactl == ("meshtls", "meshtlses", "mtls")
