"""What MeshTLS does to a proxy of a mesh with mTLS: whom it lets in, and what TLS it speaks.

Source: docs/wire/mtls.md#versions-and-modes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.policy.kinds.mesh_tls import Conf
from kong_mesh_cp.core.policy.typed_confs import DestinationConfs, InboundConfs, TypedConf
from kong_mesh_cp.core.resources.kinds.mesh import MtlsMode
from kong_mesh_cp.core.xds.effects import DefaultsOf, Effect, InboundFacts, OutboundFacts
from kong_mesh_cp.core.xds.envoy.clusters import ClusterDraft
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.listeners import ListenerDraft
from kong_mesh_cp.core.xds.envoy.tls import limit_versions
from kong_mesh_cp.core.xds.gateways.gateway_draft import GatewayDraft
from kong_mesh_cp.core.xds.matching import Matched
from kong_mesh_cp.core.xds.proxy_view import ProxyView

POLICY_TYPE: Final = "MeshTLS"

_MODES: Final = {"Strict": MtlsMode.STRICT, "Permissive": MtlsMode.PERMISSIVE}


def mode_of(confs: InboundConfs, of_mesh: MtlsMode) -> MtlsMode:
    """How strict an inbound is: as its policies say, else as the mesh is."""
    mode = _conf(confs.rules).mode
    return of_mesh if mode is None else _MODES[mode]


def _inbound_listener(draft: ListenerDraft, _facts: InboundFacts, confs: InboundConfs) -> None:
    for chain in draft.chains:
        if chain.tls is not None:
            _parameters(chain.tls, _conf(confs.rules))


def _outbound_cluster(draft: ClusterDraft, facts: OutboundFacts, confs: DestinationConfs) -> None:
    # The TLS of an external service is not that of the mesh.
    if draft.tls is not None and facts.is_called and not facts.is_external:
        _parameters(draft.tls, _conf(confs.conf))


def _gateway(draft: GatewayDraft, _view: ProxyView, matched: Matched) -> None:
    # It is the same wherever traffic goes.
    conf = _conf(matched.of_type(POLICY_TYPE).service("").conf)
    for cluster in draft.clusters.values():
        if cluster.tls is not None:
            _parameters(cluster.tls, conf)


def _parameters(context: Message, conf: Conf) -> None:
    # Ciphers are for a version; without one the original leaves them to Envoy.
    if conf.tls_version is None:
        return
    parameters = context.common_tls_context.tls_params
    limit_versions(parameters, conf.tls_version.min, conf.tls_version.max)
    parameters.cipher_suites.extend(conf.tls_ciphers or ())


def _conf(conf: TypedConf | None) -> Conf:
    return _NOTHING_SAID if conf is None else conf.of_kind(Conf)


_NOTHING_SAID: Final = Conf()


def _defaults(of: DefaultsOf) -> Mapping[str, object]:
    """What the mesh says."""
    if not of.is_inbound or of.mode is None:
        return {}
    return {"mode": next(name for name, mode in _MODES.items() if mode is of.mode)}


EFFECT: Final = Effect(
    policy_type=POLICY_TYPE,
    inbound_listener=_inbound_listener,
    outbound_cluster=_outbound_cluster,
    gateway=_gateway,
    defaults=_defaults,
)
