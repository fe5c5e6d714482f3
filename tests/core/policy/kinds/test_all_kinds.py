"""What holds for every type whose spec has a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import kong_mesh_cp.core.policy.kinds
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.policy.kinds.kong.kong_catalogue import KONG_KINDS
from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.services import (
    hostname_generator,
    mesh_external_service,
    mesh_multi_zone_service,
    mesh_service,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from support.specs.schema_documents import Json, bodies

KINDS: tuple[PluginKind[Any], ...] = (
    *POLICY_KINDS.values(),
    *KONG_KINDS.values(),
    hostname_generator.KIND,
    mesh_external_service.KIND,
    mesh_multi_zone_service.KIND,
    mesh_service.KIND,
)
EXAMPLES = 20  # of each property and kind

every_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.type for kind in KINDS])


def test_all_sixteen_policies_are_in_the_catalogue_in_order() -> None:
    names = [kind.type for kind in POLICY_KINDS.values()]
    modules = Path(kong_mesh_cp.core.policy.kinds.__file__).parent.glob("mesh_*.py")

    assert len(names) == 16 == len(list(modules))
    assert names == sorted(names)


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_what_is_rendered_reads_as_the_same_spec(
    kind: PluginKind[Any], data: st.DataObject
) -> None:
    body = data.draw(bodies(kind))
    # Go leaves an empty one out, and reads its default again: the one member that does not return.
    of_body: Any = body["spec"]
    for port in of_body.get("ports", []) if kind is mesh_service.KIND else []:
        assume(port.get("appProtocol") != "")
    spec = kind.parse(body)

    rendered = kind.render(spec)
    again = kind.parse({"type": kind.type, "name": "n", "mesh": "m", **rendered})

    assert again == spec
    assert json.dumps(kind.render(again)) == json.dumps(rendered)


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_every_body_that_fits_the_schema_can_be_checked(
    kind: PluginKind[Any], data: st.DataObject
) -> None:
    spec = kind.parse(data.draw(bodies(kind)))

    assert all(violation.message for violation in kind.validate(spec))
    assert all(warning for warning in kind.warnings(spec))


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_hostile_bodies_give_reasons_and_nothing_else(
    kind: PluginKind[Any], data: st.DataObject
) -> None:
    body = data.draw(bodies(kind))
    _damage(body, data)

    for reason in _reasons(kind, body):
        assert reason


def _reasons(kind: PluginKind[Any], body: dict[str, object]) -> list[str]:
    try:
        spec = kind.parse(body)
    except InvalidResourceError as error:
        return [violation.message for violation in error.violations]
    except ParseError as error:
        return [error.reason]
    kind.render(spec)
    return [violation.message for violation in kind.validate(spec)]


def _damage(value: Any, data: st.DataObject) -> None:
    """Put anything in the place of some member, however deep."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            value[key] = data.draw(Json)
            return
        value = inner


@every_kind
def test_a_body_of_another_type_is_refused_as_the_schema_does(kind: PluginKind[Any]) -> None:
    with pytest.raises(InvalidResourceError) as refusal:
        kind.parse({"type": "Other", "name": "n", "spec": {}})

    told = {(v.field, v.message) for v in refusal.value.violations}
    assert ("", f"type in body should be one of [{kind.type}]") in told
