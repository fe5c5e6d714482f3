"""The page on licenses is run: its recipe, its vectors, its commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.license.canonical import LICENSE_TYPE
from kong_mesh_cp.core.license.document import read, verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.keyring import Keyring
from kong_mesh_cp.core.license.report import Verdict
from kong_mesh_cp.core.license.warnings import LicenseWarning
from kong_mesh_license.__main__ import main
from support.licenses.licenses import at, envelope

PAGE = (Path(__file__).parents[2] / "docs" / "license.md").read_text(encoding="utf-8")
DOCUMENT, KEYRING_JSON = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
VECTORS = re.findall(
    r"^\| `(application/[^`]+)` \| `([0-9a-f]{16})` \| `([0-9a-f]+)` \|$", PAGE, re.MULTILINE
)
VECTOR_ID = "7b3c1612f303fa32cb64e8e491fe250c3c1323f42072f43671517cecf35becac"
OURS = [vector for vector in VECTORS if vector[0] == LICENSE_TYPE]

needs_jq_and_openssl = pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("openssl")), reason="needs jq and openssl"
)


def block(name: str) -> str:
    found = re.search(rf"```sh\n# {name}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def recipe(
    folder: Path, document: bytes, keyring: bytes, kid: str, **more: str
) -> tuple[bool, str]:
    """Run the recipe of the page; whether it accepts the signature, and what it printed."""
    (folder / "license.json").write_bytes(document)
    (folder / "keyring.json").write_bytes(keyring)
    variables = {"license": "license.json", "keyring": "keyring.json", "kid": kid, **more}
    done = subprocess.run(
        ["sh", "-eu", "-c", block("check-license")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode == 0, done.stdout + done.stderr


def vector_document(signature: str) -> bytes:
    return envelope(json.loads(DOCUMENT)["license"]["payload"], signature)


def test_the_vectors_of_the_page_are_all_found() -> None:
    assert len(VECTORS) == 3
    assert len(OURS) == 2


@pytest.mark.parametrize(("_type", "kid", "signature"), OURS)
def test_our_vectors_verify(_type: str, kid: str, signature: str) -> None:
    keyring = Keyring.parse(KEYRING_JSON.encode(), source="docs")
    license_ = verify(vector_document(signature), keyring)
    assert license_.id == VECTOR_ID
    assert license_.kid == kid
    assert license_.expires_at == at("2023-11-09")


def test_the_document_of_the_page_is_a_license() -> None:
    keyring = Keyring.parse(KEYRING_JSON.encode(), source="docs")
    assert verify(DOCUMENT.encode(), keyring).dataplanes == 5


def test_the_vector_of_another_type_is_no_license() -> None:
    ((_, _, signature),) = [vector for vector in VECTORS if vector not in OURS]
    with pytest.raises(LicenseRejectedError) as caught:
        verify(vector_document(signature), Keyring.parse(KEYRING_JSON.encode(), source="docs"))
    assert caught.value.fault is Fault.BAD_SIGNATURE


@needs_jq_and_openssl
@pytest.mark.parametrize(("payload_type", "kid", "signature"), VECTORS)
def test_the_recipe_accepts_every_vector(
    payload_type: str, kid: str, signature: str, tmp_path: Path
) -> None:
    document = vector_document(signature)
    accepted, output = recipe(tmp_path, document, KEYRING_JSON.encode(), kid, type=payload_type)
    assert accepted, output
    assert VECTOR_ID in output


@needs_jq_and_openssl
@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256"])
def test_the_recipe_accepts_what_the_vendor_s_tool_issues(algorithm: str, tmp_path: Path) -> None:
    vendor, keyring, file = tmp_path / "v", tmp_path / "ring.json", tmp_path / "issued.json"
    assert main(["keygen", "--out", str(vendor), "--algorithm", algorithm]) == 0
    public = f"{vendor}.pub.pem"
    line = ["keyring", "add", str(keyring), "--public-key", public, "--purpose", "issued"]
    assert main(line) == 0
    customer = 'Müller & Söhne "株式会社" \\ 😀'
    fields = ["--customer", customer, "--dataplanes", "20", "--expires", "2032-11-09"]
    line = ["issue", "--key", f"{vendor}.key.pem", *fields, "--field", "a=ü", "-o", str(file)]
    assert main(line) == 0

    kid = Keyring.parse(keyring.read_bytes(), source="").keys[0].kid
    accepted, output = recipe(tmp_path, file.read_bytes(), keyring.read_bytes(), kid)
    assert accepted, output
    assert read(file.read_bytes()).id in output

    changed = file.read_bytes().replace(b'"20"', b'"21"')
    accepted, output = recipe(tmp_path, changed, keyring.read_bytes(), kid)
    assert not accepted, output


def test_the_whole_way_works_as_printed(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", block("whole-way")],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "The daemon would start with it." in done.stdout


def test_every_fault_warning_and_verdict_is_on_the_page() -> None:
    for fault in Fault:
        assert f"`{fault.value}`" in PAGE
    for status in (0, 3, 4, 5, 6):
        assert re.search(rf"^\| {status} \|", PAGE, re.MULTILINE)
    assert len(Verdict) == 5
    codes = re.findall(r'LicenseWarning\(\s*"([a-z-]+)"', _source_of(LicenseWarning))
    assert len(codes) >= 7
    for code in codes:
        assert f"`{code}`" in PAGE


def _source_of(what: type) -> str:
    return Path(sys.modules[what.__module__].__file__ or "").read_text(encoding="utf-8")
