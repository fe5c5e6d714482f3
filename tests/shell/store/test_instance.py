"""The name of a control plane among those that share a store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.shell.store.instance import INSTANCE_NAME, find_instance, make_instance

MACHINE = "0123456789abcdef0123456789abcdef"


def test_a_name_is_made_once_and_stays(tmp_path: Path) -> None:
    name = make_instance(tmp_path, MACHINE)
    assert make_instance(tmp_path, MACHINE) == find_instance(tmp_path, MACHINE) == name


def test_two_directories_and_two_machines_have_different_names(tmp_path: Path) -> None:
    here, beside, elsewhere = (tmp_path / name for name in ("here", "beside", "elsewhere"))
    here.mkdir()
    beside.mkdir()
    name = make_instance(here, MACHINE)
    shutil.copytree(here, elsewhere)
    assert len({name, make_instance(beside, MACHINE), find_instance(elsewhere, "another")}) == 3


def test_the_machines_id_cannot_be_read_from_it(tmp_path: Path) -> None:
    name = make_instance(tmp_path, MACHINE)
    assert MACHINE not in name + (tmp_path / INSTANCE_NAME).read_text()


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert find_instance(tmp_path, MACHINE) is None
    assert find_instance(tmp_path / "missing", MACHINE) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "me\n", "x" * 10_000])
def test_a_file_that_holds_no_name_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / INSTANCE_NAME).write_text(content)
    with pytest.raises(StateError) as failure:
        make_instance(tmp_path, MACHINE)
    assert failure.value.code == "instance-invalid"


def test_a_pipe_in_its_place_does_not_stop_a_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / INSTANCE_NAME)
    with pytest.raises(StateError):
        find_instance(tmp_path, MACHINE)
