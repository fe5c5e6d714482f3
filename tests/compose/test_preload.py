"""Resources from a file, as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.compose.preload import preload
from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.usecases.resources.documents import document
from support.fakes.fake_resources import FakeResourceStore

FILE = """
type: Dataplane
mesh: m
name: dp
labels: {team: a}
networking: {address: 127.0.0.1, inbound: [{port: 80, tags: {kuma.io/service: web}}]}
---
type: Mesh
name: m
---
type: MeshInsight
name: m
dataplanes: {total: 1}
---
type: Dataplane
mesh: none
name: lonely
"""


async def loaded(tmp_path: Path, text: str) -> FakeResourceStore:
    path = tmp_path / "resources.yaml"
    path.write_text(text)
    store = FakeResourceStore()
    await preload(path, store)
    return store


async def test_nothing_is_added_checked_or_computed(tmp_path: Path) -> None:
    store = await loaded(tmp_path, FILE)
    assert sorted(store.resources) == [
        ResourceKey("Dataplane", "m", "dp"),
        ResourceKey("Dataplane", "none", "lonely"),
        ResourceKey("Mesh", "", "m"),
        ResourceKey("MeshInsight", "", "m"),
    ]
    stored = store.resources[ResourceKey("Dataplane", "m", "dp")]
    assert stored.labels == {"team": "a"}
    assert stored.owner == ResourceKey("Mesh", "", "m")
    assert "kuma.io/zone" not in str(document(stored))
    assert store.resources[ResourceKey("Dataplane", "none", "lonely")].owner is None


async def test_a_block_text_at_the_end_of_a_document_has_no_line_break(tmp_path: Path) -> None:
    text = (
        "type: MeshProxyPatch\nname: p\nspec:\n  default:\n    appendModifications:\n"
        "    - cluster:\n        operation: Add\n        value: |\n          name: x\n"
    )
    store = await loaded(tmp_path, text)
    assert '"name: x"' in store.resources[ResourceKey("MeshProxyPatch", "default", "p")].spec


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "has a document that is no object"),
        ("{", "is not YAML"),
        ("type: Nothing", "there is no type 'Nothing'"),
        ("type: Mesh\nname: 1", "ResourceMeta.name"),
    ],
)
async def test_a_file_that_cannot_be_used_ends_the_start(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        await loaded(tmp_path, text)
    assert problem in error.value.message
    assert (error.value.code, error.value.exit_status) == ("preload-unusable", EX_CONFIG)


async def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        await preload(tmp_path / "gone.yaml", FakeResourceStore())
    assert "No such file" in error.value.message
