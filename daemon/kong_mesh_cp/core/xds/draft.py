"""A proxy's configuration while it is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.discovery.snapshots import Resource, Snapshot, TypeResources
from kong_mesh_cp.core.policy.confs import UnreadableConfError
from kong_mesh_cp.core.policy.rules.subsets import TooManySubsetsError
from kong_mesh_cp.core.xds.assignments import NOTHING_ASSIGNED, Assignments
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, unpacked
from kong_mesh_cp.core.xds.names import ENDPOINT
from kong_mesh_cp.core.xds.parts import Parts, resource
from kong_mesh_cp.core.xds.services.backends import ServiceKey
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError


@dataclass(frozen=True, slots=True)
class Complaint:
    """What could not be made of a configuration, and why; the rest of it is sent."""

    about: str  # the name of the resource, or of a part of the proxy
    reason: str  # without a full stop


WRONG_INPUT = (UnmakeableError, UnreadableConfError, TooManySubsetsError)
"""What makes a part impossible, and is told instead of it."""


class Draft:
    """Resources by type and name. One that is added again takes the place of the former."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.complaints: list[Complaint] = []
        self.trusted: set[str] = set()  # meshes whose authorities its parts name
        self.trusts_all = False  # they name the authorities of every mesh
        self.assigned = NOTHING_ASSIGNED  # the endpoints of its clusters
        self.services: set[ServiceKey] = set()  # that were asked about, whatever came of it
        self.origin = ""  # of what is added from now on: a `names.Origin`
        self._resources: dict[str, dict[str, Resource]] = {}
        self._added: dict[str, list[tuple[Collection[str], str]]] = {}  # names and their origin

    def add(
        self, type_url: str, name: str, make: Callable[..., Message], *arguments: object
    ) -> None:
        """The resource called `name`, which `make(name, *arguments)` gives.

        `make` is a function of its arguments alone, which are keys: who has the same shares it.
        """
        try:
            made = self.parts.made(
                (make, name, *arguments), lambda: resource(name, make(name, *arguments))
            )
        except WRONG_INPUT as error:
            self.complain(name, error)
        else:
            self.put_all(type_url, {name: made})

    def put_all(self, type_url: str, made: Mapping[str, Resource]) -> None:
        """Resources by name that were made elsewhere, and are shared by whoever has the same."""
        self._resources.setdefault(type_url, {}).update(made)
        # Few ask for origins: they are only noted here, whatever number of resources it is.
        self._added.setdefault(type_url, []).append((made.keys(), self.origin))

    def made(self, type_url: str) -> Mapping[str, Resource]:
        """What it has of a type until now, by name."""
        return MappingProxyType(self._resources.get(type_url, {}))

    def origins(self, type_url: str) -> Mapping[str, str]:
        """By which part each of them was added last, by the name it was added under."""
        added = self._added.get(type_url, ())
        return {name: origin for names, origin in added for name in names}

    def drop(self, type_url: str, name: str) -> None:
        self._resources.get(type_url, {}).pop(name, None)

    def edit(
        self, type_url: str, name: str, change: Callable[..., bool | None], *arguments: object
    ) -> None:
        """`change(message, *arguments)` changes the message of the resource called `name`, or says
        False.

        As with `add`, `change` looks at its arguments alone, and who has the same shares what
        comes of it. What cannot be changed so stays as it is, and is told.
        """
        before = self._resources[type_url][name]

        def changed() -> Resource | str:
            message = unpacked(before.packed)
            try:
                if change(message, *arguments) is False:
                    return before
            except WRONG_INPUT as error:
                return str(error)  # kept as well: it is asked for at each turn
            # It is sent under the name that is in it, and found here by the one it was added under.
            return resource(getattr(message, "name", "") or name, message)

        made = self.parts.made((change, type_url, before, *arguments), changed)
        if isinstance(made, str):
            self.complain(name, made)
        else:
            self._resources[type_url][name] = made

    def assign(self, assigned: Assignments) -> None:
        """The endpoints of all clusters that have theirs from ADS. In no other way: what their
        sources say keeps them up to date.
        """
        self.assigned = assigned
        self.services |= assigned.services

    def complain(self, about: str, reason: object) -> None:
        self.complaints.append(Complaint(about, str(reason)))

    def snapshot(self) -> Snapshot:
        made = {url: TypeResources.of(named.values()) for url, named in self._resources.items()}
        assigned = self.assigned.resources
        if ENDPOINT in made:  # by hand, beside what was found
            both = (*assigned.resources.values(), *made[ENDPOINT].resources.values())
            assigned = TypeResources.of(both)
        return Snapshot(MappingProxyType({**made, ENDPOINT: assigned}))
