"""What the control plane says of its types and of whoever asks (1.5, 2.10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.identity.users import User
from kong_mesh_cp.core.resources.registry import TYPES, Policy, ResourceType
from kong_mesh_cp.shell.http.messages import Request, Response
from kong_mesh_cp.shell.http.operations import Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.responding import json_response, responding
from kong_mesh_cp.shell.rest_api.routes.resource_routes import Writable
from kong_mesh_cp.shell.rest_api.users import Authenticate

TAG: Final = "Control plane"

_TYPES: Final = Operation(
    id="getTypes", summary="Every type of resource", tag=TAG, answers=("Types",)
)
_POLICIES: Final = Operation(
    id="getPolicyTypes", summary="Every type of policy", tag=TAG, answers=("Policies",)
)
_WHO_AM_I: Final = Operation(
    id="whoAmI", summary="Whom this request is from", tag=TAG, answers=("User",)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRoutes:
    """The tables of types."""

    authenticate: Authenticate
    writable: Writable

    def routes(self) -> Iterator[Route]:
        for path, answer, about in (
            ("/_resources", self._types, _TYPES),
            ("/policies", self._policies, _POLICIES),
            ("/who-am-i", _who_am_i, _WHO_AM_I),
        ):
            yield Route(path, "GET", responding(self.authenticate, answer), about)

    async def _types(self, _user: User, _request: Request) -> Response:
        return await json_response({"resources": [self._type(row) for row in _listed()]})

    async def _policies(self, _user: User, _request: Request) -> Response:
        policies = [self._policy(row, row.policy) for row in _listed() if row.policy is not None]
        return await json_response({"policies": policies})

    def _type(self, row: ResourceType) -> dict[str, object]:
        document: dict[str, object] = {
            "includeInFederation": row.included_in_federation,
            "name": row.name,
            "path": row.path,
            "pluralDisplayName": row.plural,
        }
        if row.policy is not None:
            document["policy"] = {
                "hasFromTargetRef": Policy.FROM in row.policy,
                "hasToTargetRef": Policy.TO in row.policy,
                "isFromAsRules": Policy.FROM_AS_RULES in row.policy,
                "isTargetRef": Policy.TARGET_REF in row.policy,
            }
        return {
            **document,
            "readOnly": self._read_only(row),
            "scope": row.scope.value,
            "singularDisplayName": row.singular,
        }

    def _policy(self, row: ResourceType, policy: Policy) -> dict[str, object]:
        return {
            "name": row.name,
            "readOnly": self._read_only(row),
            "path": row.path,
            "singularDisplayName": row.singular,
            "pluralDisplayName": row.plural,
            "isExperimental": False,
            "isTargetRefBased": Policy.TARGET_REF in policy,
            "isInbound": Policy.FROM in policy,
            "isOutbound": Policy.TO in policy,
        }

    def _read_only(self, row: ResourceType) -> bool:
        return self.writable.api_read_only or self.writable.place.federated or row.read_only


def _listed() -> list[ResourceType]:
    """In the order of the table, by name; without those that Kuma has not, and the hidden one."""
    return [row for row in TYPES.values() if row.path and not row.kong_only]


async def _who_am_i(user: User, _request: Request) -> Response:
    return await json_response({"name": user.name, "groups": list(user.groups)})
