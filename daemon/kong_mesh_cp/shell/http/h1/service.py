"""Phases of a connection, and the state that all connections of one listener share."""

from __future__ import annotations

import enum

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.shell.http.h1.answers import DateLine
from kong_mesh_cp.shell.http.messages import ErrorBody, Handler
from kong_mesh_cp.shell.listening.budget import Budgets
from kong_mesh_cp.shell.listening.drain import Drain
from kong_mesh_cp.shell.listening.limits import Limits


class Phase(enum.Enum):
    """What a connection does; decides what a deadline or a drain means for it."""

    FRESH = enum.auto()  # no request yet, but one is about to come
    IDLE = enum.auto()  # between requests: may be closed without a word
    READING = enum.auto()
    ANSWERING = enum.auto()  # the handler runs; nothing of the answer has been sent
    SENDING = enum.auto()
    HELD = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all connections of one listener share."""

    handler: Handler
    limits: Limits
    error_body: ErrorBody
    date: DateLine
    drain: Drain
    budgets: Budgets
