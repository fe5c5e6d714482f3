"""In which order resources are applied: each finds what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from kumactl.applying.given import Given
from kumactl.applying.turns import given_twice, in_turn, secrets_of
from kumactl.documents.resource_document import read_resource

PROVIDED = {
    "backends": [{"name": "ca", "type": "provided", "conf": {"cert": {"secret": "ca-cert"}}}]
}


def given(type_name: str, name: str, mesh: str = "", place: str = "here", **body: Any) -> Given:
    document = {"type": type_name, "name": name, **({"mesh": mesh} if mesh else {}), **body}
    return Given(read_resource(document, place, mesh="default"), place)


def shown(turns: list[Given]) -> list[str]:
    return [f"{each.document.subject}{' declared' if each.declares else ''}" for each in turns]


def test_meshes_come_first_then_secrets_then_the_rest_and_keys_of_users_last() -> None:
    everything = [
        given("GlobalSecret", "user-token-signing-key-1"),
        given("MeshRetry", "r", "m"),
        given("Secret", "s", "m"),
        given("Zone", "z"),
        given("Mesh", "m"),
        given("GlobalSecret", "other"),
    ]

    assert shown(in_turn(everything)) == [
        "mesh/m",
        "secret/s (mesh m)",
        "meshretry/r (mesh m)",
        "zone/z",
        "global-secret/other",
        "global-secret/user-token-signing-key-1",
    ]


def test_a_mesh_that_takes_something_from_a_secret_is_declared_before_it() -> None:
    mesh = given("Mesh", "m", mtls=PROVIDED, skipCreatingInitialPolicies=["MeshRetry"])
    secret = given("Secret", "ca-cert", "m")

    turns = in_turn([mesh, secret])

    assert shown(turns) == ["mesh/m declared", "secret/ca-cert (mesh m)", "mesh/m"]
    assert turns[0].document.body == {
        "type": "Mesh",
        "name": "m",
        "skipCreatingInitialPolicies": ["MeshRetry"],
    }


@pytest.mark.parametrize(("name", "mesh"), [("other", "m"), ("ca-cert", "n")])
def test_a_secret_of_another_name_or_mesh_needs_no_declaration(name: str, mesh: str) -> None:
    turns = in_turn([given("Mesh", "m", mtls=PROVIDED), given("Secret", name, mesh)])

    assert shown(turns) == ["mesh/m", f"secret/{name} (mesh {mesh})"]


def test_an_export_is_applied_in_its_own_order() -> None:
    export = [
        given("Mesh", "m", skipCreatingInitialPolicies=["*"]),
        given("Secret", "ca-cert", "m"),
        given("Mesh", "m", mtls=PROVIDED),
        given("MeshRetry", "r", "m"),
    ]

    assert shown(in_turn(export)) == [
        "mesh/m declared",
        "secret/ca-cert (mesh m)",
        "mesh/m",
        "meshretry/r (mesh m)",
    ]
    assert list(given_twice(export)) == []


def test_of_a_resource_that_is_there_twice_only_the_last_is_applied() -> None:
    first = given("Zone", "z", enabled=True)
    last = given("Zone", "z", place="there")

    assert in_turn([first, last]) == [last]
    assert list(given_twice([first, last])) == [(first, last)]


def test_a_mesh_that_is_there_twice_and_is_more_than_a_declaration_is_told() -> None:
    first = given("Mesh", "m", routing={})
    last = given("Mesh", "m")

    assert list(given_twice([first, last])) == [(first, last)]


def test_secrets_are_found_wherever_a_mesh_names_them() -> None:
    body = {"a": [{"secret": "one"}, {"b": {"secret": "two", "secrets": "three"}}], "secret": 4}

    assert list(secrets_of(body)) == ["one", "two"]
