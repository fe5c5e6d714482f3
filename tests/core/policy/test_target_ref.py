"""Which parts of a reference go together, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.target_ref import KINDS, Allowed, TargetRef, violations
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root
from support.suites.contract_suites import ValidationCase, validation_cases

AT = root("targetRef")
EVERY_KIND = Allowed(kinds=KINDS)


def found(ref: TargetRef, allowed: Allowed = EVERY_KIND) -> set[tuple[str, str]]:
    return {(v.field, v.message) for v in violations(ref, allowed, AT)}


def test_without_a_kind_nothing_else_is_looked_at() -> None:
    assert found(TargetRef(kind="", name="*")) == {("targetRef.kind", "must be defined")}


def test_a_kind_that_this_list_does_not_take_is_refused_in_the_words_of_the_list() -> None:
    allowed = Allowed(kinds=("Mesh",), unsupported="only Mesh here")

    assert found(TargetRef(kind="MeshService"), allowed) == {("targetRef.kind", "only Mesh here")}


FULL: Mapping[str, object] = {
    "name": "backend",
    "tags": {"version": "v1"},
    "mesh": "other",
    "proxy_types": ("Sidecar",),
    "namespace": "ns",
    "labels": {"app": "demo"},
    "section_name": "http",
}


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("Mesh", {"name", "mesh", "tags", "labels", "namespace", "sectionName"}),
        ("MeshSubset", {"name", "mesh", "labels", "namespace", "sectionName"}),
        ("Dataplane", {"tags", "mesh", "proxyTypes", "labels", "sectionName"}),
        ("MeshService", {"mesh", "tags", "proxyTypes", "labels"}),
        ("MeshHTTPRoute", {"mesh", "tags", "proxyTypes", "labels"}),
        ("MeshExternalService", {"mesh", "tags", "proxyTypes", "labels", "sectionName"}),
        (
            "MeshServiceSubset",
            {"mesh", "proxyTypes", "labels", "namespace", "sectionName"},
        ),
        ("MeshGateway", {"mesh", "tags", "proxyTypes", "labels", "namespace", "sectionName"}),
        ("MeshMultiZoneService", set()),
    ],
)
def test_each_kind_refuses_the_members_it_has_no_use_for(kind: str, refused: set[str]) -> None:
    ref = TargetRef(kind=kind, **FULL)  # type: ignore[arg-type]

    assert {field.removeprefix("targetRef.") for field, _ in found(ref)} == refused


@pytest.mark.parametrize(
    "kind",
    [
        "MeshService",
        "MeshHTTPRoute",
        "MeshExternalService",
        "MeshGateway",
        "MeshServiceSubset",
    ],
)
def test_a_kind_that_names_one_resource_needs_the_name(kind: str) -> None:
    assert found(TargetRef(kind=kind)) == {("targetRef.name", f"must be set with kind {kind}")}


@pytest.mark.parametrize("kind", ["MeshService", "MeshHTTPRoute", "MeshExternalService"])
def test_labels_stand_for_the_name(kind: str) -> None:
    assert found(TargetRef(kind=kind, labels={"app": "demo"})) == set()


def test_a_whole_mesh_of_no_proxy_type_at_all_is_refused() -> None:
    refused = {("targetRef.proxyTypes", "must be undefined or have at least one element")}

    assert found(TargetRef(kind="Mesh", proxy_types=())) == refused
    assert found(TargetRef(kind="MeshSubset", proxy_types=())) == refused
    assert found(TargetRef(kind="Mesh", proxy_types=None)) == set()


def test_listener_tags_are_for_the_places_that_know_listeners() -> None:
    ref = TargetRef(kind="MeshGateway", name="edge", tags={"port": "http/443"})

    assert found(ref, Allowed(kinds=KINDS, listener_tags=True)) == set()
    assert found(ref) == {("targetRef.tags", "must not be set with kind MeshGateway")}


def test_a_section_of_a_dataplane_is_for_inbound_policies() -> None:
    ref = TargetRef(kind="Dataplane", name="dp-1", section_name="http")

    assert found(ref, Allowed(kinds=KINDS, section_name=True)) == set()
    assert found(ref) == {("targetRef.sectionName", "can only be used with inbound policies")}


def test_every_fault_of_the_tags_is_reported_at_once() -> None:
    ref = TargetRef(kind="MeshSubset", tags={"": "", "a b": "x/y", "z": "ok"})

    assert {field for field, _ in found(ref)} == {
        "targetRef.tags",
        'targetRef.tags[""]',
        'targetRef.tags["a b"]',
    }
    assert len(found(ref)) == 4


def test_a_star_stands_for_any_value_where_services_are_selected() -> None:
    subset = TargetRef(kind="MeshServiceSubset", name="backend", tags={"version": "*"})

    assert found(subset) == set()
    assert found(TargetRef(kind="MeshSubset", tags={"version": "*"})) != set()


def test_a_name_may_be_exempted() -> None:
    ref = TargetRef(kind="MeshService", name="kuma.io/unresolved-backend")
    allowed = Allowed(kinds=KINDS, names=frozenset({ref.name}))

    assert found(ref, allowed) == set()
    assert {field for field, _ in found(ref)} == {"targetRef.name"}


@given(
    kind=st.sampled_from((*KINDS, "", "Nope")),
    name=st.text(max_size=5),
    tags=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
def test_every_violation_is_reported_below_the_path_of_the_reference(
    kind: str, name: str, tags: dict[str, str]
) -> None:
    ref = TargetRef(kind=kind, name=name, tags=tags)

    for violation in violations(ref, EVERY_KIND, FieldPath("spec.to[0].targetRef")):
        assert violation.field.startswith("spec.to[0].targetRef.")


def _members(document: dict[str, object]) -> dict[str, object]:
    names = {"proxyTypes": "proxy_types", "sectionName": "section_name"}
    values = {names.get(k, k): v for k, v in document.items()}
    if "proxy_types" in values:
        values["proxy_types"] = tuple(values["proxy_types"])  # type: ignore[arg-type]
    return {"kind": "", **values}


@pytest.mark.parametrize("case", validation_cases("TargetRef"))
def test_references_are_checked_as_the_contract_says(case: ValidationCase) -> None:
    allowed = Allowed(
        kinds=tuple(case.options["SupportedKinds"]),
        listener_tags=case.options.get("GatewayListenerTagsAllowed", False),
        section_name=case.options.get("IsInboundPolicy", False),
    )
    ref = TargetRef(**_members(case.document))  # type: ignore[arg-type]

    told: set[Violation] = set(violations(ref, allowed, AT))

    assert told == case.violations
