"""One line in the log for each decision about who may do what (`access.rbac.logActions`)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from kong_mesh_cp.core.identity.access import (
    AccessRules,
    Action,
    IssueDataplaneToken,
    IssueUserToken,
    IssueZoneToken,
    Operation,
    ReadResource,
    View,
    WriteResource,
    is_admin_only,
)
from kong_mesh_cp.core.identity.audit import TEXT_CHARACTERS_MAX, quoted
from kong_mesh_cp.core.identity.refusal_bounds import API, RefusalBounds
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.usecases.ports.state_store import BootClock

ALLOWED: Final = "allowed"
DENIED: Final = "denied"

log = logging.getLogger(__name__)


class LoggedAccess:
    """`AccessRules` that decides as another one, and says so. What is open to everybody by itself
    (reading what is no secret) is no decision, and neither is leave to go on and say what is asked.
    """

    def __init__(self, rules: AccessRules, verdicts: Collection[str], clock: BootClock) -> None:
        """`verdicts`: which of ALLOWED and DENIED are logged.

        Of denials as many as the log tells of other refusals; what is left out is counted there.
        """
        self._rules = rules
        self._clock = clock
        self._denials = RefusalBounds(API)
        self._verdicts = frozenset(verdicts)

    def permits(self, user: User, action: Action) -> bool:
        permitted = self._rules.permits(user, action)
        verdict = ALLOWED if permitted else DENIED
        is_decision = not _is_open(action) and not (permitted and _is_unread(action))
        told = verdict in self._verdicts and is_decision
        if told and (permitted or self._may_be_told(user)):
            verb, resource = described(action)
            who = quoted(str(user))
            log.info("access-%s: user %s, action %s, resource %s", verdict, who, verb, resource)
        return permitted

    def _may_be_told(self, user: User) -> bool:
        now = self._clock()
        self._denials.untold(now)
        return self._denials.take(user.name[:TEXT_CHARACTERS_MAX], now)


def _is_open(action: Action) -> bool:
    return isinstance(action, ReadResource) and not is_admin_only(action.type)


def _is_unread(action: Action) -> bool:
    match action:
        case WriteResource() | IssueDataplaneToken() | IssueZoneToken() | IssueUserToken():
            return action.unread
        case _:
            return False


def described(action: Action) -> tuple[str, str]:
    """What is done, in the words of AccessRoles where they have one, and to what. One line."""
    match action:
        case ReadResource(type=type_, mesh=mesh, name=name):
            return "READ", _resource(type_, mesh, name)
        case WriteResource(verb=verb, type=type_, mesh=mesh, name=name):
            return verb.value, _resource(type_, mesh, name)
        case IssueDataplaneToken(mesh=mesh):
            return "GENERATE_DATAPLANE_TOKEN", f"mesh {quoted(mesh)}"
        case IssueZoneToken(zone=zone, scope=scope):
            return "GENERATE_ZONE_TOKEN", f"zone {quoted(zone)} scope {quoted(','.join(scope))}"
        case IssueUserToken(name=name):
            return "GENERATE_USER_TOKEN", f"user {quoted(name)}"
        case View():
            return f"VIEW_{action.name}", action.value
        case Operation():
            return action.name, action.value


def _resource(type_name: str, mesh: str, name: str) -> str:
    return f"{type_name} {quoted('/'.join(filter(None, (mesh, name or '*'))))}"
