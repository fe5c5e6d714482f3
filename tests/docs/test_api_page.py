"""The commands of the page on the API are run, from the page, against a daemon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from support.daemons.daemon import running
from support.suites.patience import HANG_SECONDS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
API = "http://localhost:5681"
COMMANDS = re.findall(r"^\$ ((?:curl|jq) .+)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)
CHECKS = re.findall(r"^\$ check-jsonschema --schemafile (\S+) (\S+)\n(ok)?", PAGE, re.MULTILINE)
SECONDS_MAX = HANG_SECONDS  # for one command

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq"
    ),
]


def test_the_document_is_fetched_and_manifests_are_checked_as_the_page_says(
    tmp_path: Path,
) -> None:
    for name, content in re.findall(
        r"^# ([a-z]+\.yaml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
    ):
        (tmp_path / name).write_text(content)
    with running(tmp_path / "d", environment={"KUMA_STORE_TYPE": "memory"}) as daemon:
        for line, said in COMMANDS:
            done = subprocess.run(
                ["bash", "-c", line.replace(API, daemon.addresses["api"])],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=SECONDS_MAX,
            )
            assert done.stdout == said
    assert len(COMMANDS) == 10 and len(CHECKS) == 2
    for schema, manifest, fits in CHECKS:
        validator = jsonschema_rs.validator_for(json.loads((tmp_path / schema).read_text()))
        assert validator.is_valid(yaml.safe_load((tmp_path / manifest).read_text())) is bool(fits)


def test_what_the_page_calls_functions_are_functions_of_the_document(tmp_path: Path) -> None:
    named = re.search(r"`operationId`: (.*)\. Ids", PAGE)
    assert named
    with running(tmp_path, environment={"KUMA_STORE_TYPE": "memory"}) as daemon:
        document = daemon.api("GET", "/api-docs/openapi.json").body.decode()
    for name in re.findall(r"`(\w+)`", named[1]):
        assert f'"operationId": "{name}"' in document
