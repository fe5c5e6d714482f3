"""The schema of a type against what its kind takes and shows: they must not differ."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind
from kong_mesh_cp.core.resources.kind_schemas import kind_description, resource_schema
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.json_schema import Definitions
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.specs.schema_documents import bodies
from support.specs.sound_resources import SOUND, damaged

EXAMPLES = 25  # of each property and kind
PLUGIN = [name for name, kind in KINDS.items() if isinstance(kind, PluginKind)]
META = {"mesh": "m", "name": "n"}


@functools.cache
def validator(name: str) -> jsonschema_rs.Validator:
    definitions = Definitions()
    resource_schema(TYPES[name], KINDS[name], definitions)
    schemas = {"components": {"schemas": definitions.sorted()}}
    return jsonschema_rs.validator_for({**schemas, "$ref": f"#/components/schemas/{name}"})


def told(name: str, body: object) -> list[str]:
    """What the schema has against a body."""
    return [f"{list(each.instance_path)}: {each}" for each in validator(name).iter_errors(body)]


def shown(kind: Kind[Any], body: Any) -> dict[str, Any] | None:
    """What becomes of a body; None when its type cannot be read from it."""
    try:
        return {"type": kind.type, **META, **kind.render(kind.parse(body))}
    except (ParseError, InvalidResourceError):
        return None


@pytest.mark.parametrize("name", KINDS)
def test_every_type_says_what_it_is_for(name: str) -> None:
    said = kind_description(TYPES[name], KINDS[name])
    assert len(said) > len(name), said
    assert "docs/wire" not in said


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_body_fits_the_schema(name: str) -> None:
    assert not told(name, {"type": name, **META, **SOUND[name]})


@pytest.mark.parametrize("name", SOUND)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_whatever_is_taken_is_shown_as_the_schema_has_it(name: str, data: st.DataObject) -> None:
    given_ = data.draw(damaged({"type": name, **META, **SOUND[name]}))

    becomes = shown(KINDS[name], given_)

    assert becomes is None or not told(name, becomes)


@pytest.mark.parametrize("name", PLUGIN)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_plugin_type_takes_what_its_schema_takes_and_shows_it_so(
    name: str, data: st.DataObject
) -> None:
    kind = KINDS[name]
    assert isinstance(kind, PluginKind)
    body = data.draw(bodies(kind))

    assert not told(name, body)
    becomes = shown(kind, body)
    assert becomes is not None
    assert not told(name, becomes)


@pytest.mark.parametrize(
    ("name", "spec", "place"),
    [
        ("MeshTrafficPermission", {"from": [{"targetRef": {"kind": "Nobody"}}]}, "kind"),
        ("MeshTimeout", {"to": [{"default": {}}]}, "targetRef"),
        ("MeshTimeout", {"targetRef": {"kind": "Mesh"}, "to": "all"}, "to"),
    ],
)
def test_the_schema_refuses_what_the_type_refuses(name: str, spec: Any, place: str) -> None:
    body = {"type": name, **META, "spec": spec}

    assert shown(KINDS[name], body) is None
    assert any(place in each for each in told(name, body)), told(name, body)


def test_two_schemas_cannot_have_one_name() -> None:
    definitions = Definitions()
    definitions.pointer("A", int, dict)
    with pytest.raises(ValueError, match="A"):
        definitions.pointer("A", str, dict)
