"""Which resources a targetRef means (docs/wire/policies.md#resource-rules)."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.policy.rules.destinations import (
    Destinations,
    Port,
    Section,
    destination_id,
    referred_id,
)
from kong_mesh_cp.core.policy.rules.policy import Meta
from kong_mesh_cp.core.policy.target_ref import TargetRef
from support.specs.policies import DEFAULT_MESH, service, target

HTTP, UNNAMED = Port(80, "http"), Port(9090)
WEB = service("web", HTTP, UNNAMED, labels={"team": "a"})
API = service("api", HTTP, labels={"team": "a", "env": "dev"})
EXTERNAL = service("db", of="MeshExternalService")
MULTI = service("all", HTTP, of="MeshMultiZoneService")
ALL = Destinations([DEFAULT_MESH, WEB, API, EXTERNAL, MULTI])
SOURCE = Meta("MeshTimeout", "default", "timeouts")


def _meant(reference: TargetRef, source: Meta = SOURCE, among: Destinations = ALL) -> list[Section]:
    return list(among.meant_by(reference, source))


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        (target("Mesh"), [Section(DEFAULT_MESH)]),
        (target("MeshService", "web"), [Section(WEB)]),
        (target("MeshService", "web", section_name="http"), [Section(WEB, "http")]),
        (target("MeshService", "web", section_name="9090"), [Section(WEB, "9090")]),
        (target("MeshService", "web", section_name="80"), []),  # that port has a name
        (target("MeshService", "web", section_name="grpc"), []),
        (target("MeshService", "gone"), []),
        (target("MeshService", labels={"team": "a"}), [Section(WEB), Section(API)]),
        (target("MeshService", labels={"team": "a", "env": "dev"}), [Section(API)]),
        (target("MeshService", labels={"team": "a"}, section_name="9090"), [Section(WEB, "9090")]),
        (target("MeshService", labels={"team": "b"}), []),
        (target("MeshExternalService", "db"), [Section(EXTERNAL)]),
        (target("MeshExternalService", "web"), []),
        (target("MeshMultiZoneService", "all", section_name="http"), [Section(MULTI, "http")]),
        (target("MeshSubset", tags={"team": "a"}), []),
        (target("MeshServiceSubset", "web"), []),
    ],
)
def test_a_reference_means_what_exists_under_that_name(
    reference: TargetRef, meant: list[Section]
) -> None:
    assert _meant(reference) == meant


def test_a_name_means_the_resource_of_the_zone_of_the_policy() -> None:
    here = service("web-1", labels={"kuma.io/zone": "east", "kuma.io/display-name": "web"})
    there = service("web-2", labels={"kuma.io/zone": "west", "kuma.io/display-name": "web"})
    source = Meta("MeshTimeout", "default", "t", {"kuma.io/zone": "west"})

    assert _meant(target("MeshService", "web"), source, Destinations([here, there])) == [
        Section(there)
    ]
    assert _meant(target("MeshService", "web"), SOURCE, Destinations([here, there])) == []


def test_a_namespace_is_that_of_the_policy_unless_it_is_given() -> None:
    labelled = service("web", labels={"k8s.kuma.io/namespace": "shop"})
    source = Meta("MeshTimeout", "default", "t", {"k8s.kuma.io/namespace": "shop"})
    known = Destinations([labelled])

    assert _meant(target("MeshService", "web"), source, known) == [Section(labelled)]
    assert _meant(target("MeshService", "web", namespace="shop"), SOURCE, known) == [
        Section(labelled)
    ]
    assert _meant(target("MeshService", "web"), SOURCE, known) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("web_shop_svc_80", ["http"]),
        ("web_shop_svc", [""]),
        ("web_shop_svc_81", []),
        ("web_shop_svc_http", []),
        ("web_other_svc_80", []),
        ("web_shop_svc_80_1", []),
    ],
)
def test_a_service_tag_of_kubernetes_means_the_service_in_its_place(
    name: str, meant: list[str]
) -> None:
    labels = {"k8s.kuma.io/namespace": "shop", "kuma.io/display-name": "web"}
    known = Destinations([service("web-x7", HTTP, labels=labels)])

    found = _meant(target("MeshService", name), SOURCE, known)

    assert [section.name for section in found] == meant


def test_only_a_whole_service_is_meant_by_a_tag_of_kubernetes() -> None:
    labels = {"k8s.kuma.io/namespace": "shop", "kuma.io/display-name": "web"}
    known = Destinations(
        [
            service("web-x7", HTTP, of=of, labels=labels)
            for of in ("MeshService", EXTERNAL.meta.type)
        ]
    )

    assert _meant(target("MeshExternalService", "web_shop_svc"), SOURCE, known) == []
    assert _meant(target("MeshService", "web_shop_svc", section_name="http"), SOURCE, known) == []


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        (Section(DEFAULT_MESH), Section(DEFAULT_MESH), True),
        (Section(DEFAULT_MESH), Section(WEB, "http"), True),
        (Section(WEB), Section(DEFAULT_MESH), False),
        (Section(WEB), Section(WEB, "http"), True),
        (Section(WEB, "http"), Section(WEB), False),
        (Section(WEB, "http"), Section(WEB, "9090"), False),
        (Section(WEB), Section(API), False),
        (Section(service("db")), Section(EXTERNAL), False),
        (Section(EXTERNAL), Section(EXTERNAL), True),
    ],
)
def test_what_is_said_about_the_whole_holds_for_its_parts(
    one: Section, other: Section, *, covers: bool
) -> None:
    assert one.covers(other) == covers


def test_a_mesh_says_nothing_about_services_of_another() -> None:
    foreign = Section(type(WEB)(Meta("MeshService", "payments", "web")))

    assert not Section(DEFAULT_MESH).covers(foreign)


def test_an_identity_is_by_display_name_zone_and_namespace() -> None:
    labels = {"kuma.io/display-name": "web", "kuma.io/zone": "east", "k8s.kuma.io/namespace": "n"}
    synced = Meta("MeshService", "default", "web-9xw", labels)

    assert destination_id(synced) == referred_id(
        target("MeshService", "web"), Meta("MeshTimeout", "default", "t", labels)
    )
