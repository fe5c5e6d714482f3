"""The tree of `GET /config`."""

from __future__ import annotations

import json
from pathlib import Path

from kong_mesh_cp.settings.effective import MASK, effective
from kong_mesh_cp.settings.model import rows
from support.specs.configurations import loaded, toml


def _leaf(tree: object, path: str) -> object:
    for key in path.split("."):
        assert isinstance(tree, dict)
        tree = tree[key]
    return tree


def test_every_setting_stands_in_the_tree() -> None:
    tree = effective(loaded().settings)
    assert _leaf(tree, "apiServer.http.port") == 5681
    assert _leaf(tree, "general.workDir") == "/home/operator/.kuma"
    assert _leaf(tree, "license.inline") is None
    assert _leaf(tree, "admission.rules") == []
    for row in rows():
        _leaf(tree, row.path)


def test_secrets_are_masked() -> None:
    tree = effective(loaded(environ={"KMESH_LICENSE_INLINE": "canary"}).settings)
    assert _leaf(tree, "license.inline") == MASK
    assert "canary" not in json.dumps(tree)


def test_with_origins_each_value_says_where_it_came_from() -> None:
    found = loaded(environ={"KUMA_API_SERVER_HTTP_PORT": "7000"})
    tree = effective(found.settings, found.origins)
    assert _leaf(tree, "apiServer.http.port") == {
        "value": 7000,
        "from": "environment KUMA_API_SERVER_HTTP_PORT",
    }
    assert _leaf(tree, "mode") == {"value": "zone", "from": "default"}


def test_a_rule_shows_what_was_written(tmp_path: Path) -> None:
    text = '[[admission.rules]]\nuid = 0\ntags = { team = "payments" }\n'
    tree = effective(loaded(toml(tmp_path, text)).settings)
    assert _leaf(tree, "admission.rules") == [{"uid": 0, "tags": {"team": "payments"}}]


def test_the_tree_is_json_in_any_case() -> None:
    found = loaded(environ={"KMESH_LICENSE_PATH": "/etc/\udcff.json"})
    json.dumps(effective(found.settings, found.origins), ensure_ascii=False).encode()
