"""What the control plane says of its types, and of the user who asks.

Source: docs/wire/processes.md#base-endpoints, docs/wire/resource-api.md#lists-of-types
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
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
        return await json_response(
            {"resources": [self._type(resource_type) for resource_type in _listed()]}
        )

    async def _policies(self, _user: User, _request: Request) -> Response:
        policies = [
            self._policy(resource_type, resource_type.policy)
            for resource_type in _listed()
            if resource_type.policy is not None
        ]
        return await json_response({"policies": policies})

    def _type(self, resource_type: ResourceType) -> dict[str, object]:
        document: dict[str, object] = {
            "includeInFederation": resource_type.included_in_federation,
            "name": resource_type.name,
            "path": resource_type.path,
            "pluralDisplayName": resource_type.plural,
        }
        if resource_type.policy is not None:
            document["policy"] = {
                "hasFromTargetRef": Policy.FROM in resource_type.policy,
                "hasToTargetRef": Policy.TO in resource_type.policy,
                "isFromAsRules": Policy.FROM_AS_RULES in resource_type.policy,
                "isTargetRef": Policy.TARGET_REF in resource_type.policy,
            }
        return {
            **document,
            "readOnly": self._read_only(resource_type),
            "scope": resource_type.scope.value,
            "singularDisplayName": resource_type.singular,
        }

    def _policy(self, resource_type: ResourceType, policy: Policy) -> dict[str, object]:
        return {
            "name": resource_type.name,
            "readOnly": self._read_only(resource_type),
            "path": resource_type.path,
            "singularDisplayName": resource_type.singular,
            "pluralDisplayName": resource_type.plural,
            "isExperimental": False,
            "isTargetRefBased": Policy.TARGET_REF in policy,
            "isInbound": Policy.FROM in policy,
            "isOutbound": Policy.TO in policy,
        }

    def _read_only(self, resource_type: ResourceType) -> bool:
        return (
            self.writable.api_read_only
            or self.writable.deployment.federated
            or resource_type.read_only
        )


def _listed() -> list[ResourceType]:
    """In the order of the table, by name; without those that Kuma has not, and the hidden one."""
    return [
        resource_type
        for resource_type in TYPES.values()
        if resource_type.path and not resource_type.kong_only
    ]


async def _who_am_i(user: User, _request: Request) -> Response:
    return await json_response({"name": user.name, "groups": list(user.groups)})
