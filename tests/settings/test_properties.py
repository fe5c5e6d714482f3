"""Whatever stands in a file or a variable: it loads, or it is refused with code and remedy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.settings.loading import Loaded, examine
from kong_mesh_cp.settings.names import kuma_names
from kong_mesh_cp.settings.writing import effective_json, in_force
from support.specs.configurations import NO_FILE

KEYS = st.sampled_from(
    sorted(
        {part for path in kuma_names().paths for part in path.split(".")}
        | {"admission", "rules", "license", "inline", "path", "unit", "uid", "tags", "log", "level"}
    )
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.dates(),
    st.sampled_from(["zone", "global", "0.0.0.0", "sqlite", "", "~", "/x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)
TREES = st.dictionaries(KEYS | st.text(max_size=5), VALUES, max_size=6)
VARIABLES = st.sampled_from(sorted(kuma_names().variables)) | st.from_regex(
    r"(KUMA|KMESH)_[A-Z_]{0,20}", fullmatch=True
)
ENVIRONMENT_TEXT = st.text(st.characters(exclude_characters="\0"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _judged(file: Path | None, environ: dict[str, str]) -> None:
    examined = examine(
        arguments={"--config-file": str(file) if file else None},
        environ={"HOME": "/root", **environ},
        default_file=NO_FILE,
    )
    found, problems = examined.loaded, examined.problems
    assert (found is None) == bool(problems)
    for problem in problems:
        assert problem.code.startswith("config-")
        assert problem.line.isprintable()
        assert problem.remedy
    if found is not None:
        _shown(found)


def _shown(found: Loaded) -> None:
    assert all(warning.isprintable() for warning in found.warnings)
    effective_json(found.settings, found.origins).encode()
    in_force(found.settings, found.origins).encode()


@given(tree=TREES)
def test_any_toml_tree_loads_or_is_refused(folder: Path, tree: dict[str, object]) -> None:
    file = folder / "any.toml"
    file.write_text(tomli_w.dumps(tree), encoding="utf-8")
    _judged(file, {})


@given(text=st.text() | st.binary())
def test_any_bytes_as_toml_load_or_are_refused(folder: Path, text: str | bytes) -> None:
    file = folder / "bytes.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    _judged(file, {})


@given(text=st.text() | st.binary() | st.text(alphabet="ab:{}[]&*!|>-? \n\t'\"#%~<0123"))
def test_any_bytes_as_yaml_load_or_are_refused(folder: Path, text: str | bytes) -> None:
    file = folder / "bytes.yml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    _judged(file, {})


@given(tree=TREES)
def test_any_yaml_tree_loads_or_is_refused(folder: Path, tree: dict[str, object]) -> None:
    file = folder / "any.yaml"
    file.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    _judged(file, {})


@given(environ=st.dictionaries(VARIABLES, ENVIRONMENT_TEXT, max_size=8))
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    _judged(None, environ)
