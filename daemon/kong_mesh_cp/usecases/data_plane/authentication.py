"""Whether a proxy that opens a stream is the one it says (docs/wire/tokens.md#proxies)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import partial

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.identity.proxy_rules import require_dataplane, require_zone_proxy
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims
from kong_mesh_cp.core.resources.tags import Tags
from kong_mesh_cp.usecases.identity.authenticating import Authenticator


class ProxyKind(StrEnum):
    """What a proxy is for, in the words of its node's metadata and of its token's scope."""

    DATAPLANE = "dataplane"
    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyIdentity:
    """Who a proxy says it is, by its resource."""

    mesh: str  # "" of a zone proxy
    name: str
    kind: ProxyKind = ProxyKind.DATAPLANE
    zone: str = ""  # that a zone proxy is of; of a data plane proxy it is not asked
    tags: Mapping[str, Collection[str]] = field(default_factory=dict)  # of inbounds and gateway


Proven = Callable[[ProxyIdentity], None]
"""That what was proven of a proxy also proves it to be this one, of the same mesh and kind: the
token has been verified, and is held against another resource. Raises: ProxyRefusedError.
"""


def dataplane_identity(mesh: str, name: str, tag_sets: Iterable[Tags]) -> ProxyIdentity:
    """Of a data plane proxy, by the tags of its inbounds and its gateway."""
    tags: dict[str, set[str]] = {}
    for each in tag_sets:
        for tag, value in each.items():
            tags.setdefault(tag, set()).add(value)
    return ProxyIdentity(mesh=mesh, name=name, tags=tags)


class ProxyAuthentication:
    """What proxies of each kind have to show, as `dpServer.authn` says."""

    def __init__(
        self, authenticator: Authenticator, *, dataplanes: bool, zone_proxies: bool
    ) -> None:
        """False: proxies of this kind are believed as they come (type `none`)."""
        self._authenticator = authenticator
        self._dataplanes = dataplanes
        self._zone_proxies = zone_proxies

    def asks_for_token(self, kind: ProxyKind) -> bool:
        return self._dataplanes if kind is ProxyKind.DATAPLANE else self._zone_proxies

    async def verify(self, credentials: Sequence[str] | None, proxy: ProxyIdentity) -> Proven:
        """That `credentials`, the values of the metadata `authorization`, prove to be `proxy`.

        Keys and revocations are those of the moment. Raises: ProxyRefusedError, whose message ends
        the stream.
        """
        if not self.asks_for_token(proxy.kind):
            return _believed
        if proxy.kind is ProxyKind.DATAPLANE:
            claims = await self._authenticator.require_dataplane(
                credentials, mesh=proxy.mesh, name=proxy.name, tags=proxy.tags
            )
            return partial(_require_dataplane, claims)
        of_zone = await self._authenticator.require_zone_proxy(
            credentials, scope=proxy.kind.value, zone=proxy.zone
        )
        return partial(_require_zone_proxy, of_zone)


def _believed(_proxy: ProxyIdentity) -> None:
    """Whoever it is."""


def _require_dataplane(claims: DataplaneClaims, proxy: ProxyIdentity) -> None:
    require_dataplane(claims, mesh=proxy.mesh, name=proxy.name, tags=proxy.tags)


def _require_zone_proxy(claims: ZoneClaims, proxy: ProxyIdentity) -> None:
    require_zone_proxy(claims, scope=proxy.kind.value, zone=proxy.zone)
