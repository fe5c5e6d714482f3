"""The queries of writes: whether one is only judged, and what to make of unknown members.

Source: docs/wire/resource-api.md#dry-run
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.shell.http.messages import Request
from kong_mesh_cp.shell.rest_api.capabilities import CAPABILITIES
from kong_mesh_cp.shell.rest_api.list_queries import pairs_of
from kong_mesh_cp.usecases.resources.resource_refusals import PROCESS, invalid

NOT_DONE: Final = "The request cannot be tried out, and nothing was done"

_FLAGS: Final = {"true": True, "false": False}


def require_no_flags(request: Request) -> None:
    """For what takes none, but does something: it was meant as a question.

    Raises: ResourceRefusedError.
    """
    write_flags(request, title=NOT_DONE)


def write_flags(request: Request, *known: str, title: str = PROCESS) -> frozenset[str]:
    """Those of the flags `known` that are set. Raises: ResourceRefusedError.

    A slip would be a write that was meant as a question, so whatever looks like one of the flags
    has to be one, once, and true or false.
    """
    if not request.raw_query:
        return frozenset()
    said: dict[str, bool] = {}
    wrong: list[Violation] = []
    for name, value in pairs_of(request):
        flag = next((each for each in CAPABILITIES if _folded(each) == _folded(name)), None)
        if flag is None:
            continue
        if name != flag:
            wrong.append(Violation(name, f'write it as "{flag}"'))
        elif flag not in known:
            wrong.append(Violation(name, "this request has no such parameter"))
        elif value not in _FLAGS:
            wrong.append(Violation(name, 'must be "true" or "false"'))
        elif said.setdefault(name, _FLAGS[value]) is not _FLAGS[value]:
            wrong.append(Violation(name, "is both true and false"))
    if wrong:
        raise invalid(title, wrong)
    return frozenset(flag for flag, is_set in said.items() if is_set)


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
