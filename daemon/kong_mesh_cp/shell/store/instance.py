"""The instance of a control plane: its name on a shared store, over all its restarts.

A name made once and kept in the state directory, so that two daemons on one machine differ; and
the machine's id beside it, so that a copy of the directory on another machine is another instance.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.errors import StateError
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.failures import directory_failure, reason, unreadable
from kong_mesh_cp.shell.store.files import read_file, replace_file

INSTANCE_NAME: Final = "instance"
_KEPT: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")


def find_instance(state_directory: Path, machine_id: str) -> str | None:
    """The name of the control plane in `state_directory`; None: it has none yet.

    Raises: StateError.
    """
    path = state_directory / INSTANCE_NAME
    try:
        content = read_file(path)
    except OSError as error:
        raise unreadable(printable(path), reason(error)) from error
    if content is None:
        return None
    if not _KEPT.fullmatch(content):
        raise StateError(
            f"{printable(path)} does not hold the name of a control plane",
            code="instance-invalid",
            hint="Remove it, and start again: a new name is made.",
        )
    # The machine's id is confidential (machine-id(5)): only a hash of it leaves.
    return hashlib.sha256(content + machine_id.encode()).hexdigest()[:32]


def make_instance(state_directory: Path, machine_id: str) -> str:
    """As `find_instance`, for a caller that has locked the directory: there is a name then."""
    found = find_instance(state_directory, machine_id)
    if found is not None:
        return found
    path = state_directory / INSTANCE_NAME
    try:
        replace_file(path, f"{uuid.uuid4()}\n".encode())
    except OSError as error:
        raise directory_failure(error, path) from error
    made = find_instance(state_directory, machine_id)
    if made is None:
        raise AssertionError("it has just been written")
    return made
