"""The validation cases over the routes: what is refused says why, what is taken comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from support.daemons.rest_api import Routes
from support.suites.validation_cases import JsonLoader, shared_folder

Json = dict[str, Any]

# Recorded where the profile of gateways was not loaded; its text is in test_proxy_template.py.
OTHERWISE = {"ProxyTemplate/unknown-profile"}


def pages() -> list[Any]:
    """The validation pages of types that clients write; a skipped parameter without any."""
    folder = shared_folder()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    found = [
        yaml.load(path.read_text(), JsonLoader)
        for path in sorted((folder / "conformance/validation").glob("*.yaml"))
    ]
    return [pytest.param(page, id=page["type"]) for page in found if page.get("path")]


def requests_of(page: Mapping[str, Any]) -> Iterator[tuple[Json, str, Json]]:
    """Each case that a client can send, with its path and body."""
    for case in page["cases"]:
        if not case["rest"] or case["id"] in OTHERWISE:
            continue
        given: Json = yaml.load(case["input"], JsonLoader) or {}
        meta: Json = {"type": page["type"], "name": case.get("name", "x-1")}
        path = f"/{page['path']}/{meta['name']}"
        if page["scope"] == "Mesh":
            meta["mesh"], path = "default", f"/meshes/default{path}"
        body = {**meta, "spec": given} if page["body"] == "spec" else {**given, **meta}
        yield case, path, body


@pytest.mark.parametrize("page", pages())
async def test_what_is_taken_comes_back_and_may_be_put_again(page: Mapping[str, Any]) -> None:
    routes = Routes()
    await routes.api.put("Mesh", "default", skipCreatingInitialPolicies=["*"])
    for case, path, body in requests_of(page):
        answer = await routes.put(path, **body)
        told = json.loads(answer.body)
        if not case["valid"]:
            expected = {(each["field"], each["message"]) for each in case["violations"]}
            found = {
                (each["field"], each["reason"])
                for each in told["invalid_parameters"]
                # Cases were recorded of a server that does not tell them.
                if not each["reason"].startswith("unknown member")
            }
            assert (case["id"], answer.status, found) == (case["id"], 400, expected)
            continue
        assert answer.status in {200, 201}, case["id"]
        shown = await routes.json(path)
        again = await routes.put(path, **shown)
        assert again.status == 200, case["id"]
        assert _timeless(await routes.json(path)) == _timeless(shown), case["id"]
        assert (await routes.ask("GET", f"{path}?format=k8s")).status == 200, case["id"]


def _timeless(shown: Json) -> str:
    """As text, since the order of keys counts as well."""
    return json.dumps({**shown, "modificationTime": None})
