"""The map in the README: everything it names is there, and what is there is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE, USECASES, SHELL = (f"daemon/kong_mesh_cp/{layer}/" for layer in ("core", "usecases", "shell"))


def rows() -> dict[str, str]:
    """What each line of the map says, by the folder that it is about."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Map")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            where, what = line.strip("| ").split(" | ", 1)
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", where), what)
    return found


def named(text: str) -> set[str]:
    return {each.rstrip("/") for each in re.findall(r"`([\w./-]+)`", text)}


def folders(place: str) -> set[str]:
    return {
        path.name
        for path in (ROOT / place).iterdir()
        # What is left of a folder that moved holds compiled code alone.
        if path.is_dir() and any(each.name != "__pycache__" for each in path.iterdir())
        if path.name != "__pycache__"
    }


@pytest.mark.parametrize("place", sorted(rows()))
def test_every_place_of_the_map_is_there(place: str) -> None:
    assert (ROOT / place).is_dir()


@pytest.mark.parametrize("layer", [CORE, USECASES, SHELL])
def test_every_folder_of_a_layer_is_named_and_no_other(layer: str) -> None:
    below = {path.name for path in (ROOT / layer).rglob("*") if path.is_dir()}
    assert folders(layer) <= named(rows()[layer]) <= below


def test_every_script_is_named_and_no_other() -> None:
    assert named(rows()["scripts/"]) == {path.name for path in (ROOT / "scripts").iterdir()}


def test_every_folder_of_tests_that_mirrors_no_code_is_named() -> None:
    code = folders("daemon") | folders("daemon/kong_mesh_cp")
    assert named(rows()["tests/"]) == folders("tests") - code
