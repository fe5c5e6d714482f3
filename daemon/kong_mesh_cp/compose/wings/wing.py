"""A wing of the control plane, as a run knows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from kong_mesh_cp.compose.wings.servers import Servers
from kong_mesh_cp.core.dataclass import dataclass

Task = Callable[[], Awaitable[object]]


async def nothing() -> None:
    pass


async def _no_servers(_: Servers) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wing:
    """What a run does for one wing. It does each for all wings, in their order, before the next.

    `background` runs until the last conversation has ended. `serve` starts the servers, one wing
    after the other; `serve_last` those that may take their time to begin, when the others serve.
    `make` returns when there is what a control plane that is ready has. `settle` begins when it
    is ready. `reload` takes what files hold now; it never
    raises. `flush` writes what is not in the store yet, at the end; a run bounds its time.
    """

    serve: Callable[[Servers], Awaitable[None]]
    serve_last: Callable[[Servers], Awaitable[None]] = _no_servers
    background: Sequence[Task] = ()
    make: Task = nothing
    settle: Task | None = None
    reload: Task = nothing
    flush: Task = nothing
