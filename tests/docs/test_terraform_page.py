"""What the page on Terraform says of this control plane, asked as the provider asks.

The provider itself is not run (the page says so): `support.daemons.terraform` sends its requests.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.daemons.daemon import running
from support.daemons.terraform import WRITE, Provider

PAGE = (Path(__file__).parents[2] / "docs" / "terraform.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.system


def test_the_mesh_of_the_page_begins_empty_and_its_plan_is_too(tmp_path: Path) -> None:
    declared = dict(re.findall(r"^  (\w+) += (.+)$", PAGE.split("kong-mesh_mesh")[1], re.MULTILINE))
    assert declared["skip_creating_initial_policies"] == '["*"]'
    name, type_ = json.loads(declared["name"]), json.loads(declared["type"])
    with running(tmp_path) as daemon:
        Provider(daemon).create(f"/meshes/{name}", {"type": type_, "name": name})
        for policies in ("meshtimeouts", "meshretries", "meshcircuitbreakers"):
            assert daemon.api("GET", f"/meshes/{name}/{policies}").json["total"] == 0
        other = json.dumps({"type": "Mesh", "name": "other"}).encode()
        assert daemon.api("PUT", "/meshes/other", WRITE, other).status == 201
        found = [
            json.loads(daemon.api("GET", f"/meshes/other/{each}").body)["total"]
            for each in ("meshtimeouts", "meshretries", "meshcircuitbreakers")
        ]
        assert sum(found) == 4, "as many as the page says there are otherwise"


def test_labels_that_every_plan_would_show_are_on_the_types_that_the_page_names(
    tmp_path: Path,
) -> None:
    egress = {"address": "10.0.0.1", "port": 10002}
    template = {"template": "{{ .DisplayName }}.mesh", "selector": {"meshService": {}}}
    bodies: dict[str, dict[str, Any]] = {
        "/zoneegresses/e": {"type": "ZoneEgress", "name": "e", "networking": egress},
        "/hostnamegenerators/g": {"type": "HostnameGenerator", "name": "g", "spec": template},
    }
    with running(tmp_path) as daemon:
        for path, body in bodies.items():
            answer = daemon.api("PUT", path, WRITE, json.dumps(body).encode())
            assert answer.status == 201, answer
            assert body["type"] in PAGE
            assert daemon.api("GET", path).json["labels"], body["type"]


def test_types_of_kong_mesh_are_stored_with_a_warning(tmp_path: Path) -> None:
    named = re.search(r"\*\*(MeshOPA.*?)\*\* are stored and shown", PAGE)
    assert named and named[1].split(", ") == ["MeshOPA", "MeshGlobalRateLimit", "AccessAudit"]
    body = {"type": "AccessAudit", "name": "a", "rules": [{"access": ["CREATE"]}]}
    with running(tmp_path) as daemon:
        answer = daemon.api("PUT", "/accessaudits/a", WRITE, json.dumps(body).encode())
        assert answer.status == 201, answer
        assert any("no effect" in warning for warning in json.loads(answer.body)["warnings"])
