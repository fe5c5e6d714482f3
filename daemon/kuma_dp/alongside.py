"""Tasks that run alongside of something, and end with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from kong_mesh_cp.core.errors import ControlPlaneError

T = TypeVar("T")


async def alongside(body: Callable[[trio.Nursery], Awaitable[T]]) -> T | None:
    """What `body` gives; the tasks that it has started in the nursery end with it.

    None: a task has cancelled the nursery's scope before. Raises: ControlPlaneError of `body` as it
    is; a nursery would wrap it up.
    """
    result: T | None = None
    failure: ControlPlaneError | None = None
    async with trio.open_nursery() as nursery:
        try:
            result = await body(nursery)
        except ControlPlaneError as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result
