"""Quotas of users who are no administrators."""

from __future__ import annotations

from kong_mesh_cp.core.identity.access import AccessRules
from kong_mesh_cp.core.identity.administrators import is_administrator
from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.volume import Quota


class Quotas:
    """One quota for all of them together: it bounds the store, not each user."""

    def __init__(self, quota: Quota, rules: AccessRules) -> None:
        """`rules` decide who is an administrator, and do not log it."""
        self._quota = quota
        self._rules = rules

    def of(self, user: User) -> Quota | None:
        """None: whatever fits on the disk. Raises: RolesUnknownError."""
        return None if is_administrator(self._rules, user) else self._quota
