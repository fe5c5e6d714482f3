"""The API's own document against the route table that a control plane serves."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest
import yaml

from kong_mesh_cp.compose.resources import Resources
from kong_mesh_cp.core.formats.yaml_text import yaml_text
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.settings.loading import load
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.handler import Index, RestApi
from kong_mesh_cp.shell.rest_api.openapi.document import openapi_document
from kong_mesh_cp.usecases.following.replica import Replica
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome, ReloadResult
from kong_mesh_cp.usecases.resources.kinds import KINDS
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.sealing_key import FakeSealingKey

METHODS = {"get", "put", "post", "delete", "patch"}
BYTES_MAX = 1024 * 1024


async def _reload() -> ReloadOutcome:
    return ReloadOutcome(result=ReloadResult.UNCHANGED)


@functools.cache
def table() -> Sequence[Route]:
    api = RestApi(
        index=Index(version="2.10.11", cluster_id="c", hostname="h", instance_id="i"),
        public_license=dict,
        full_license=dict,
        reload_license=_reload,
        config=lambda: b"{}",
    )
    nowhere = Path("/nowhere")
    environment = {"KUMA_GENERAL_WORK_DIR": str(nowhere)}
    settings = load(arguments={}, environ=environment, default_file=nowhere).settings
    resources = Resources(settings, Replica(FakeResourceStore()), FakeSealingKey())
    return api.table(resources.guards, resources.routes())


@functools.cache
def document() -> dict[str, Any]:
    made = json.loads(json.dumps(openapi_document(table())))
    assert isinstance(made, dict)
    return made


def operations() -> Mapping[tuple[str, str], Any]:
    return {
        (path, method.upper()): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_every_route_says_what_it_is_for() -> None:
    silent = [f"{route.method} {route.path}" for route in table() if route.about is None]
    assert not silent, (
        "give each of these Route(…, about=Operation(…)), and the schema of its answer in"
        f" document_shapes.py unless it is a resource: {silent}"
    )


def test_the_document_has_the_paths_and_methods_of_the_route_table_and_no_others() -> None:
    assert sorted(operations()) == [(route.path, route.method) for route in table()]


def test_the_document_is_valid_openapi() -> None:
    openapi_spec_validator.validate(document())


def test_everything_that_is_pointed_at_is_there_and_everything_there_is_pointed_at() -> None:
    text = json.dumps(document())
    named = {
        (section, name) for section, parts in document()["components"].items() for name in parts
    }
    pointed = set(re.findall(r'"#/components/(\w+)/([\w-]+)"', text))
    assert pointed <= named
    virtual = {f"{name}List" for name, resource_type in TYPES.items() if resource_type.virtual}
    unused = {name for section, name in named - pointed if section != "securitySchemes"}
    assert unused <= {
        *virtual,
        *(name for name, resource_type in TYPES.items() if resource_type.virtual),
    }, unused


def test_every_type_of_the_api_has_a_schema() -> None:
    assert set(KINDS) <= set(document()["components"]["schemas"])


@pytest.mark.parametrize("status", ["200", "400"])
def test_every_operation_names_how_it_ends(status: str) -> None:
    for (path, method), operation in operations().items():
        refused = operation.get("description", "").startswith("Always refused")
        if status != "200" or not refused:
            assert status in operation["responses"], f"{method} {path}"


def test_texts_of_the_document_are_sentences_in_english_without_marks_of_the_code() -> None:
    for name, schema in document()["components"]["schemas"].items():
        said = schema.get("description", "")
        assert "docs/wire" not in said, name
        assert "None" not in said.split(), name


def test_the_yaml_says_the_same_and_stays_small() -> None:
    written = yaml_text(document())

    assert yaml.load(written, yaml.CSafeLoader) == document()
    assert len(written) < BYTES_MAX
