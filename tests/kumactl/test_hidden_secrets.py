"""What kumactl tells of a change never shows the secret that changes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from kong_mesh_cp.core.resources.inline_secrets import MASK, MASK_IN_BASE64
from support.daemons.kuma_api import Plane, api
from support.daemons.kumactl_runs import User

CANARY = base64.b64encode(b"canary-of-a-key").decode()
OTHER = base64.b64encode(b"another-key").decode()
MESH = """\
type: Mesh
name: m
mtls:
  backends:
  - name: ca
    type: provided
    conf:
      cert:
        inline: YQ==
      key:
        inline: {key}
"""
SECRET = "type: GlobalSecret\nname: s\ndata: {key}\n"


@pytest.mark.parametrize("document", [MESH, SECRET])
def test_a_dry_run_says_that_a_secret_would_change_and_not_into_what(
    document: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    with api(Plane()) as server:
        user = User(tmp_path, server.url)
        outputs = []
        for key in (OTHER, CANARY):
            file.write_text(document.format(key=key))
            outputs.append(user.run("apply", "-f", str(file), "--dry-run").out)
            user.run("apply", "-f", str(file))
    assert "would be created" in outputs[0]
    assert "would change: " in outputs[1]
    assert MASK in outputs[1] or MASK_IN_BASE64 in outputs[1]
    for output in outputs:
        assert CANARY not in output and OTHER not in output


def test_what_is_masked_for_the_reader_is_never_called_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(MESH.format(key=CANARY))
    plane = Plane()
    plane.put({"type": "Mesh", "name": "m"})
    with api(plane) as server:
        user = User(tmp_path, server.url)
        user.run("apply", "-f", str(file))
        file.write_text(MESH.format(key=MASK_IN_BASE64))  # as such a reader gets it
        user.run("apply", "-f", str(file))
        assert user.run("apply", "-f", str(file)).out == "mesh/m updated\n"


def test_an_export_says_which_resources_it_has_with_masks(tmp_path: Path) -> None:
    plane = Plane()
    conf = {"key": {"inline": MASK_IN_BASE64}}
    mtls = {"backends": [{"name": "ca", "type": "provided", "conf": conf}]}
    plane.put({"type": "Mesh", "name": "m", "mtls": mtls})
    plane.put({"type": "Mesh", "name": "other"})
    with api(plane) as server:
        ran = User(tmp_path, server.url).run("export", "--profile", "all")
    assert ran.status == 0
    (line,) = ran.err.splitlines()
    assert line.startswith("WARNING: /meshes/m has secrets that you may not read; ")
