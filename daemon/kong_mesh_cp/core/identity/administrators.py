"""Administrators: which users count as such where no single right is asked for."""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.identity.access import AccessRules, Verb, WriteResource
from kong_mesh_cp.core.identity.users import User

_MAKES_ANY_ROLE: Final = WriteResource(verb=Verb.CREATE, type="AccessRole", mesh="", name="")


def is_administrator(rules: AccessRules, user: User) -> bool:
    """Whether `user` may make any role, and so give itself every right there is: those of
    `access.static.adminResources`, or of an unconditional rule that is not bound to a mesh.
    """
    return rules.permits(user, _MAKES_ANY_ROLE)
