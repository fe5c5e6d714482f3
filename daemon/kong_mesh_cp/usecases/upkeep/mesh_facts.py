"""What a control plane remembers of one mesh, so that a change costs what it changes."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final, TypeVar

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.insights.counts import COUNTED_TYPES
from kong_mesh_cp.core.insights.facts import (
    NEVER_SEEN,
    DataplaneFacts,
    ExternalFacts,
    InsightFacts,
    ObservedProxy,
    dataplane_facts,
    external_facts,
    insight_facts,
)
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.services.external_service import ExternalService
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.usecases.ports.resource_store import StoredResource
from kong_mesh_cp.usecases.resources.documents import members, spec_as

DATAPLANE: Final = "Dataplane"
DATAPLANE_INSIGHT: Final = "DataplaneInsight"
EXTERNAL_SERVICE: Final = "ExternalService"

# Of these it is not only the number that counts.
LOOKED_INTO: Final = (DATAPLANE, DATAPLANE_INSIGHT, EXTERNAL_SERVICE)
COUNTED_ONLY: Final = tuple(name for name in COUNTED_TYPES if name not in LOOKED_INTO)

Pair = tuple[DataplaneFacts, InsightFacts]
F = TypeVar("F")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class MeshFacts:
    """The proxies of one mesh by what is the same of them, and its other resources by number."""

    due: float = math.inf  # when its insights are to be made; of the event loop's clock
    not_before: float = -math.inf  # likewise
    unread: bool = True  # nothing of it is known yet
    changed: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in LOOKED_INTO}
    )
    changed_types: set[str] = field(default_factory=set)
    _totals: dict[str, int] = field(default_factory=dict)
    # With its time: a resource that was made anew begins with version 1 again.
    _versions: dict[str, dict[str, tuple[int, datetime]]] = field(
        default_factory=lambda: {name: {} for name in LOOKED_INTO}
    )
    _dataplanes: dict[str, DataplaneFacts] = field(default_factory=dict)
    _insights: dict[str, InsightFacts] = field(default_factory=dict)
    _external: dict[str, ExternalFacts] = field(default_factory=dict)
    _pairs: Counter[Pair] = field(default_factory=Counter)

    def take(self, stored: StoredResource) -> bool:
        """Look into one of LOOKED_INTO; False: nothing is new."""
        versions, name = self._versions[stored.key.type], stored.key.name
        version = (stored.version, stored.modified_at)
        if versions.get(name) == version:
            return False
        versions[name] = version
        try:
            return self._look_into(stored)
        except (ParseError, InvalidResourceError):
            log.error(
                "resource-unreadable: %s %s of the mesh %s counts for nothing: no release of this "
                "program has stored it so. Write it anew.",
                stored.key.type,
                go_quote(name),
                go_quote(stored.key.mesh),
            )
            self._drop(stored.key.type, name)
            return True

    def _look_into(self, stored: StoredResource) -> bool:
        """Raises: ParseError or InvalidResourceError."""
        name = stored.key.name
        match stored.key.type:
            case "Dataplane":
                facts = dataplane_facts(spec_as(Dataplane, stored))
                return self._learn(self._dataplanes, name, facts)
            case "DataplaneInsight":
                observed = insight_facts(read_message(ObservedProxy, members(stored)))
                return self._learn(self._insights, name, observed)
            case _:
                outside = external_facts(spec_as(ExternalService, stored))
                return self._learn(self._external, name, outside)

    def forget(self, type_name: str, name: str) -> bool:
        """One of LOOKED_INTO is gone; False: it was not known."""
        if self._versions[type_name].pop(name, None) is None:
            return False
        self._drop(type_name, name)
        return True

    def _drop(self, type_name: str, name: str) -> None:
        self._count(name, -1)
        books: dict[str, dict[str, Any]] = {
            DATAPLANE: self._dataplanes,
            DATAPLANE_INSIGHT: self._insights,
            EXTERNAL_SERVICE: self._external,
        }
        books[type_name].pop(name, None)
        self._count(name, 1)

    def keep_only(self, type_name: str, names: Collection[str]) -> bool:
        """`names` are all there are of one of LOOKED_INTO; False: nothing is new."""
        gone = [name for name in self._versions[type_name] if name not in names]
        for name in gone:
            self.forget(type_name, name)
        return bool(gone)

    def set_total(self, type_name: str, total: int) -> None:
        """So many there are of one of COUNTED_ONLY."""
        self._totals[type_name] = total

    @property
    def totals(self) -> Mapping[str, int]:
        """Resources of the mesh by type."""
        looked_into = {name: len(self._versions[name]) for name in (DATAPLANE, EXTERNAL_SERVICE)}
        return {**self._totals, **looked_into}

    def pairs(self) -> list[tuple[DataplaneFacts, InsightFacts, int]]:
        """The proxies, those of which the same is known together."""
        return [(*pair, proxies) for pair, proxies in self._pairs.items()]

    def external(self) -> list[ExternalFacts]:
        return [self._external[name] for name in sorted(self._external)]

    def _learn(self, book: dict[str, F], name: str, facts: F) -> bool:
        if book.get(name) == facts:
            return False
        self._count(name, -1)
        book[name] = facts
        self._count(name, 1)
        return True

    def _count(self, name: str, proxies: int) -> None:
        """Add what is known of the proxy `name`, or take it away."""
        dataplane = self._dataplanes.get(name)
        if dataplane is None:
            return
        pair = (dataplane, self._insights.get(name, NEVER_SEEN))
        self._pairs[pair] += proxies
        if not self._pairs[pair]:
            del self._pairs[pair]
