"""What a mesh must not become.

Source: docs/wire/meshes.md#changes, docs/wire/meshes.md#deletion
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.mesh_changes import (
    change_violations,
    creation_violations,
    secret_in_use,
)
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.messages import read_message


def mesh(*backends: dict[str, object], enabled: str = "", skip: bool = False) -> Mesh:
    mtls = {"enabledBackend": enabled, "backends": list(backends), "skipValidation": skip}
    return read_message(Mesh, {"mtls": mtls})


def builtin(name: str) -> dict[str, object]:
    return {"name": name, "type": "builtin"}


@pytest.mark.parametrize(
    ("backend", "violation"),
    [
        (
            {"name": "a", "type": "vault"},
            ("mtls.backends[0].type", "could not find installed plugin for this type"),
        ),
        (
            builtin("Not_DNS"),
            ("mtls.backends[0].conf.mtls.backends.name", '"Not_DNS" name must be valid dns name'),
        ),
        (
            {"name": "a", "type": "provided", "conf": {"cert": {"secret": "c"}}},
            ("mtls.backends[0].conf.key", "has to be defined"),
        ),
        (
            {"name": "a", "type": "provided", "conf": {"cert": {}, "key": {"secret": "k"}}},
            ("mtls.backends[0].conf.cert", "data source cannot be empty"),
        ),
    ],
)
def test_an_authority_that_cannot_work_is_refused_unless_validation_is_skipped(
    backend: dict[str, object], violation: tuple[str, str]
) -> None:
    found = creation_violations("m", mesh(backend))
    assert [(each.field, each.message) for each in found] == [violation]
    assert creation_violations("m", mesh(backend, skip=True)) == []


def test_a_mesh_is_named_like_a_dns_label_by_length() -> None:
    assert creation_violations("x" * 63, Mesh()) == []
    assert [each.field for each in creation_violations("x" * 64, Mesh())] == ["name"]


def test_the_authority_in_force_changes_only_over_none() -> None:
    one, two = mesh(builtin("a"), enabled="a"), mesh(builtin("b"), enabled="b")
    assert [each.field for each in change_violations("m", one, two)] == ["mtls.enabledBackend"]
    assert change_violations("m", one, one) == []
    assert change_violations("m", one, mesh(builtin("b"))) == []
    assert change_violations("m", mesh(builtin("a")), two) == []


def test_a_provided_authority_needs_the_secrets_it_names() -> None:
    conf = {"cert": {"secret": "c"}, "key": {"file": "/k"}}
    provided = mesh({"name": "a", "type": "provided", "conf": conf}, enabled="a")
    assert secret_in_use("c", "m", provided) is not None
    assert secret_in_use("k", "m", provided) is None
    assert secret_in_use("c", "m", Mesh()) is None


def keyed(name: str, bits: object) -> dict[str, object]:
    return {**builtin(name), "conf": {"caCert": {"RSAbits": bits}}}


@pytest.mark.parametrize("skip", [False, True])
def test_a_key_that_takes_too_long_to_make_is_refused(skip: bool) -> None:
    asked = mesh(keyed("a", 2048), keyed("b", 65536), skip=skip)
    found = creation_violations("m", asked)
    assert [(each.field, each.message) for each in found] == [
        ("mtls.backends[1].conf.caCert.RSAbits", "must be 4096 at the most")
    ]
    assert change_violations("m", Mesh(), asked) == found
    assert creation_violations("m", mesh(keyed("a", 4096), skip=skip)) == []


def test_a_mesh_that_has_its_key_already_can_be_written_again() -> None:
    before = mesh(keyed("a", 8192))
    assert change_violations("m", before, before) == []
    assert change_violations("m", before, mesh(keyed("a", 8193))) != []
    assert change_violations("m", before, mesh(keyed("b", 8192))) != []


def test_one_write_asks_for_a_few_keys_only() -> None:
    few = mesh(*(builtin(f"a{number}") for number in range(8)))
    many = mesh(*(builtin(f"a{number}") for number in range(9)))
    assert creation_violations("m", few) == []
    assert [each.field for each in creation_violations("m", many)] == ["mtls.backends"]
    assert change_violations("m", few, many) == []
