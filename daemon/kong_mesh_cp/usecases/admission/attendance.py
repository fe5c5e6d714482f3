"""What the store shows of a proxy that holds a seat."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kong_mesh_cp.core.admission.seats import SeatRecord
from kong_mesh_cp.core.dataclass import dataclass

if TYPE_CHECKING:  # a start does not wait for what reads resources
    from kong_mesh_cp.core.insights.certificate_facts import CertificateFacts
    from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight
    from kong_mesh_cp.core.resources.kinds.subscriptions import DiscoveryStatus, ProxyVersion


class StreamFacts(Protocol):
    """What a proxy on a stream tells, and what became of what it was sent."""

    due: bool  # something has changed since it was shown

    @property
    def version(self) -> ProxyVersion: ...

    @property
    def certificate(self) -> CertificateFacts | None:
        """That of the proxy; None: there is none in its mesh."""
        ...

    @property
    def knows_certificate(self) -> bool:
        """Otherwise what was shown before is left alone."""
        ...

    def status(self) -> DiscoveryStatus: ...


class Shown(Enum):
    """What became of showing that a proxy is there."""

    DONE = "done"
    NO_RESOURCE = "no-resource"
    OTHER_KIND = "other-kind"  # counted and not counted have changed places


class KnownInsight(NamedTuple):
    """An insight as it was in the store when it was read or written here last. Who writes on top
    of it asks for this version: the store refuses that once another writer was there.
    """

    insight: DataplaneInsight
    version: int  # 0: there was none
    labels: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Attendance:
    """A proxy that holds a seat, and what is shown of it."""

    record: SeatRecord
    has_resource: bool = False  # a Dataplane was there: if it is not any more, the seat ends
    may_have_resource: bool = False  # something may have been written for it
    subscription: str = ""  # the id; "" until there is a Dataplane that it could be shown for
    shown_since: int = 0  # nanoseconds since 1970
    known: KnownInsight | None = None  # None: it is to be read
    look_due: bool = True  # something may have become of the Dataplane, or of the insight with it
    beat_due: bool = False  # a sign of life is to be given
    counts_due: bool = False  # it is time to show what the stream has counted
    stream: StreamFacts | None = None  # None: it has come through the socket alone
