"""What is given is given back: empty values, nulls and numbers at the ends of their types.

Source: docs/wire/policies.md#what-is-given
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kinds.services import (
    hostname_generator,
    mesh_external_service,
    mesh_multi_zone_service,
    mesh_service,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.schema.record_faults import Faults
from kong_mesh_cp.core.schema.record_nodes import (
    ListNode,
    Member,
    Node,
    RecordNode,
    TextMapNode,
)
from kong_mesh_cp.core.schema.record_scalars import IntegerNode, NumberOrTextNode, TextNode
from kong_mesh_cp.core.schema.record_terms import UNSIGNED_32_MAX
from kong_mesh_cp.core.schema.records import record
from kong_mesh_cp.core.schema.violations import root
from support.specs.policy_specs import rendered

KINDS: tuple[PluginKind[Any], ...] = (
    *POLICY_KINDS.values(),
    hostname_generator.KIND,
    mesh_external_service.KIND,
    mesh_multi_zone_service.KIND,
    mesh_service.KIND,
)
BY_TYPE = {kind.type: kind for kind in KINDS}


class Place(NamedTuple):
    """A member of an object somewhere in the spec of a type."""

    type: str
    holder: RecordNode
    member: Member


def places(kind: PluginKind[Any]) -> Iterator[Place]:
    seen: set[int] = set()
    open_: list[Node] = [record(kind.spec_type)]
    while open_:
        node = open_.pop()
        if isinstance(node, ListNode):
            open_.append(node.items)
        if isinstance(node, RecordNode) and id(node) not in seen:
            seen.add(id(node))
            yield from (Place(kind.type, node, member) for member in node.members)
            open_ += (member.node for member in node.members)


PLACES = [place for kind in KINDS for place in places(kind)]


def given_back(place: Place, value: object) -> dict[str, object]:
    """What an object with only this member is written as, apart from what always is."""
    read = place.holder.read({place.member.name: value}, root("spec"), Faults())
    absent = place.holder.read({}, root("spec"), Faults())
    written, without = place.holder.write(read), place.holder.write(absent)
    # As it is stored, and as it is read from there.
    assert place.holder.write(place.holder.read(written, root("spec"), Faults())) == written
    return {name: part for name, part in written.items() if without.get(name, ...) != part}


UNSIGNED = {
    "MeshCircuitBreaker": {
        "consecutive",
        "maxConnectionPools",
        "maxConnections",
        "maxEjectionPercent",
        "maxPendingRequests",
        "maxRequests",
        "maxRetries",
        "minimumHosts",
        "requestVolume",
        "threshold",
    },
    "MeshHTTPRoute": {"port"},
    "MeshLoadBalancingStrategy": {
        "choiceCount",
        "maxRingSize",
        "minRingSize",
        "tableSize",
        "weight",
    },
    "MeshMetric": {"port"},
    "MeshMultiZoneService": {"port"},
    "MeshPassthrough": {"port"},
    "MeshRateLimit": {"num", "status"},
    "MeshRetry": {"maxConnectAttempt", "numRetries"},
    "MeshService": {"port"},
    "MeshTCPRoute": {"port"},
}
SIGNED = {
    "MeshFaultInjection": {"httpStatus"},
    "MeshHealthCheck": {
        "expectedStatuses",
        "healthyThreshold",
        "intervalJitterPercent",
        "unhealthyThreshold",
    },
    "MeshHTTPRoute": {"port"},  # of a redirect
    "MeshRetry": {"updateFrequency"},
}


def integers(*, unsigned: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place in PLACES:
        node = place.member.node
        node = node.items if isinstance(node, ListNode) else node
        match node:
            case IntegerNode(format="int32", is_unsigned=is_unsigned) if is_unsigned == unsigned:
                found.setdefault(place.type, set()).add(place.member.name)
            case _:
                pass
    return found


def test_these_members_are_numbers_of_32_bits() -> None:
    assert integers(unsigned=True) == UNSIGNED
    assert integers(unsigned=False) == SIGNED


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(each, id=f"{each.type}-{each.member.name}")
        for each in PLACES
        if isinstance(each.member.node, IntegerNode)
        and each.member.node.is_unsigned
        and each.member.node.range.maximum is None
    ],
)
def test_an_unsigned_number_goes_up_to_its_end(place: Place) -> None:
    for number in (2**31, UNSIGNED_32_MAX):
        assert given_back(place, number) == {place.member.name: number}

    faults = Faults()
    place.member.node.read(UNSIGNED_32_MAX + 1, root("spec"), faults)
    assert "of type uint32" in faults.undecodable


EMPTY: dict[type, object] = {ListNode: [], TextMapNode: {}, TextNode: ""}
# Go leaves these out, as they are no pointers.
LEFT_OUT = {
    ("HostnameGenerator", "matchLabels"),
    ("HostnameGenerator", "template"),
    ("MeshHTTPRoute", "value"),
    ("MeshRetry", "value"),
    ("MeshService", "appProtocol"),
    ("MeshService", "dataplaneTags"),
    ("MeshService", "identities"),
    ("MeshService", "name"),
    ("MeshService", "ports"),
}


def optional_places() -> Iterator[Place]:
    for place in PLACES:
        node = place.member.node
        bounds = getattr(node, "length", None) or getattr(node, "enumeration", None)
        fits_all = bounds is None or getattr(bounds, "minimum", 0) is None
        is_optional = place.member.default is not None and not place.member.null_is_absent
        if type(node) in EMPTY and fits_all and (is_optional or place.member.omit_empty):
            yield place


def test_these_members_are_left_out_where_they_are_empty() -> None:
    assert {(each.type, each.member.name) for each in PLACES if each.member.omit_empty} == LEFT_OUT


@pytest.mark.parametrize(
    "place",
    [pytest.param(each, id=f"{each.type}-{each.member.name}") for each in optional_places()],
)
def test_an_empty_value_is_given_back_and_an_absent_one_is_not(place: Place) -> None:
    name, empty = place.member.name, EMPTY[type(place.member.node)]
    absent = place.holder.write(place.holder.read({}, root("spec"), Faults()))
    if place.member.omit_empty:
        assert name not in place.holder.write(
            place.holder.read({name: empty}, root("spec"), Faults())
        )
        return
    assert absent.get(name) != empty
    assert given_back(place, empty) == {name: empty}


REFERENCE = (
    "{kind: MeshService, name: a, mesh: '', namespace: '', sectionName: '', tags: {}, labels: {}}"
)


HTTP_RULES = (
    "[{matches: [{}], default: {filters: [], "
    "backendRefs: [{kind: MeshService, name: b, tags: {}, weight: 1}]}}]"
)


@pytest.mark.parametrize(
    ("policy_type", "spec"),
    [
        ("MeshTLS", "{from: []}"),
        ("MeshTLS", "{}"),
        ("MeshTimeout", "{targetRef: {kind: Mesh, name: ''}, to: [], from: [], rules: []}"),
        ("MeshRateLimit", "{targetRef: {kind: Mesh, tags: {}}, to: [], from: [], rules: []}"),
        ("MeshFaultInjection", "{to: [], from: []}"),
        ("MeshHTTPRoute", "{to: []}"),
        (
            "MeshHTTPRoute",
            f"{{to: [{{targetRef: {REFERENCE}, hostnames: [], rules: {HTTP_RULES}}}]}}",
        ),
        (
            "MeshTCPRoute",
            f"{{targetRef: {REFERENCE}, to: [{{targetRef: {REFERENCE}, rules: []}}]}}",
        ),
        ("MeshMetric", "{default: {sidecar: {profiles: {appendProfiles: []}}, backends: []}}"),
    ],
)
def test_a_policy_is_given_back_as_it_was_written(policy_type: str, spec: str) -> None:
    assert json.dumps(rendered(BY_TYPE[policy_type], spec), sort_keys=True) == json.dumps(
        yaml.safe_load(spec), sort_keys=True
    )


NUMBERS_OR_TEXTS = [each for each in PLACES if isinstance(each.member.node, NumberOrTextNode)]


@pytest.mark.parametrize(
    "place",
    [pytest.param(each, id=f"{each.type}-{each.member.name}") for each in NUMBERS_OR_TEXTS],
)
def test_a_null_is_taken_where_a_number_or_a_text_may_stand(place: Place) -> None:
    faults = Faults()
    name = place.member.name
    read = place.member.node.read(None, root("spec"), faults)

    assert (faults.violations, faults.undecodable) == ([], "")
    # A number that has to be there is the one that Go has without any.
    is_required = place.member.default is None or place.type == "MeshService"
    assert read == (0 if is_required else None)
    written = place.holder.write(place.holder.read({name: None}, root("spec"), Faults()))
    assert written.get(name) == (0 if is_required else None)


def test_null_is_a_value_of_a_json_patch() -> None:
    patches = "[{op: replace, path: /a, value: null}, {op: remove, path: /b}]"
    spec = (
        "{default: {appendModifications: "
        f"[{{cluster: {{operation: Patch, jsonPatches: {patches}}}}}]}}}}"
    )
    shown: Any = rendered(BY_TYPE["MeshProxyPatch"], spec)

    assert shown["default"]["appendModifications"][0]["cluster"]["jsonPatches"] == [
        {"op": "replace", "path": "/a", "value": None},
        {"op": "remove", "path": "/b"},
    ]
