"""HostnameGenerators name services; who comes first has a name that two get.

Source: docs/wire/services.md#host-names
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from kong_mesh_cp.core.meshes.services.service_hostnames import (
    Generator,
    HostnamedService,
    ServiceNames,
    evaluated,
    in_order,
    service_names,
)
from kong_mesh_cp.core.resources.kinds.services.hostname_generator import (
    HostnameGenerator,
    LabelSelector,
    Selector,
)
from kong_mesh_cp.core.resources.meta import Resource

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TYPE = "MeshService"


def generator(
    name: str, template: str, *, age: int = 0, origin: str = "zone", **match: str
) -> Generator:
    at = NOON - timedelta(seconds=age)
    selector = Selector(mesh_service=LabelSelector(match_labels=match))
    return Resource(
        type="HostnameGenerator",
        mesh="",
        name=name,
        labels={"kuma.io/origin": origin},
        spec=HostnameGenerator(selector=selector, template=template),
        created_at=at,
        modified_at=at,
        version=1,
    )


def service(name: str, *, age: int = 0, **labels: str) -> HostnamedService:
    return HostnamedService(name, "shop", labels, NOON - timedelta(seconds=age))


def named(
    services: list[HostnamedService], generators: list[Generator]
) -> Mapping[str, ServiceNames]:
    ordered = in_order(generators)
    made = {
        each.name: tuple(evaluated(one, TYPE, each, "west") for one in ordered) for each in services
    }
    return service_names(TYPE, services, made, ordered)


def shown(names: ServiceNames) -> list[tuple[str, str, str, str]]:
    """Generator, status, reason and message of each condition."""
    return [
        (each.hostname_generator_ref.core_name, one.status, one.reason, one.message)
        for each in names.generators
        for one in each.conditions
    ]


def test_a_generator_names_the_services_that_it_selects() -> None:
    found = named(
        [service("web", team="a"), service("api")],
        [generator("g", "{{ .DisplayName }}.{{ .Zone }}.corp", team="a")],
    )
    assert found.keys() == {"web"}
    (address,) = found["web"].addresses
    assert address.hostname == "web.west.corp"
    assert address.origin == "HostnameGenerator"
    assert address.hostname_generator_ref is not None
    assert address.hostname_generator_ref.core_name == "g"
    assert shown(found["web"]) == [("g", "True", "Generated", "")]


def test_names_are_sorted_by_generator() -> None:
    found = named([service("web")], [generator("b", "one"), generator("a", "two", age=-5)])
    assert [each.hostname for each in found["web"].addresses] == ["two", "one"]


def test_the_oldest_service_has_a_name_that_several_get() -> None:
    found = named([service("new"), service("old", age=9)], [generator("g", "same.corp")])
    assert [each.hostname for each in found["old"].addresses] == ["same.corp"]
    assert found["new"].addresses == ()
    assert shown(found["new"]) == [
        ("g", "False", "Collision", "Hostname collision with MeshService: new")
    ]


def test_of_two_generators_that_of_the_zone_comes_first_then_the_older() -> None:
    services = [service("a", team="x"), service("b", team="y")]
    theirs = [
        generator("global", "n", origin="global", age=9, team="x"),
        generator("own", "n", team="y"),
    ]
    assert named(services, theirs)["a"].addresses == ()
    by_age = [generator("young", "n", team="x"), generator("old", "n", age=9, team="y")]
    found = named(services, by_age)
    assert found["a"].addresses == ()
    assert [each.hostname for each in found["b"].addresses] == ["n"]


def test_one_service_may_get_one_name_twice() -> None:
    found = named([service("a")], [generator("g", "n"), generator("h", "n")])
    assert [each.hostname for each in found["a"].addresses] == ["n", "n"]
    assert [status for _, status, _, _ in shown(found["a"])] == ["True", "True"]


def test_a_template_that_fails_is_told_and_takes_no_name() -> None:
    found = named([service("a")], [generator("g", '{{ label "no" }}')])
    ((name, status, reason, message),) = shown(found["a"])
    assert (name, status, reason) == ("g", "False", "TemplateError")
    assert "label no not found" in message
    assert found["a"].addresses == ()


def test_an_empty_name_is_none() -> None:
    assert named([service("a")], [generator("g", "{{ .Namespace }}")]) == {}


def test_a_generator_for_another_type_has_no_say() -> None:
    other = generator("g", "n")
    assert evaluated(other, "MeshExternalService", service("a"), "west") is None
    assert evaluated(other, "MeshMultiZoneService", service("a"), "west") is None


def test_names_of_a_label_are_read_as_they_are() -> None:
    labels = {"kuma.io/display-name": "", "kuma.io/zone": "east", "k8s.kuma.io/namespace": "ns"}
    one = HostnamedService("web", "shop", labels, NOON)
    made = evaluated(generator("g", "x{{.DisplayName}}.{{.Namespace}}.{{.Zone}}"), TYPE, one, "w")
    assert made is not None
    assert made.hostname == "x.ns.east"
