"""Where the proxies of one mesh are scraped, by who scrapes them.

Source: docs/wire/metrics.md#assignments
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import join_host_port
from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.meshes.proxy_metrics import prometheus_conf, proxy_labels
from kong_mesh_cp.core.policy.confs import UnreadableConfError, conf_of
from kong_mesh_cp.core.policy.kinds.mesh_metric import Conf, Prometheus
from kong_mesh_cp.core.policy.rules.matched import MeshView, candidates, ranked_selections
from kong_mesh_cp.core.policy.rules.mesh_resources import proxy_of
from kong_mesh_cp.core.policy.rules.policy import Policy
from kong_mesh_cp.core.policy.rules.proxies import Proxy, served_gateway
from kong_mesh_cp.core.policy.rules.subset_rules import proxy_rules
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane, Networking
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.meta import Resource
from kong_mesh_cp.core.resources.metrics_backend import TlsMode

POLICY_TYPE: Final = "MeshMetric"
DEFAULT_CLIENT: Final = "_kuma-default-client"
"""Who scrapes where nothing says who does, and whoever is not named anywhere."""

_NO_TAGS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One proxy, and where it is scraped."""

    mesh: str
    proxy: str
    service: str
    scheme: str
    address: str  # with the port
    path: str
    labels: Mapping[str, str]


class MonitoredMesh:
    """One mesh, as far as its proxies are scraped."""

    def __init__(self, mesh: Resource[Mesh], view: MeshView) -> None:
        """`view` has the MeshMetrics and the MeshGateways."""
        self._mesh = mesh
        self._view = view
        self._policies = candidates(POLICY_TYPE, view, with_shadow=False)
        self._confs: dict[tuple[int, ...], Conf | None] = {}  # of the same policies the same

    @property
    def is_scraped(self) -> bool:
        """Whether any proxy may be."""
        return bool(self._policies) or self._mesh.spec.metrics is not None

    def assignments(self, dataplane: Resource[Dataplane]) -> Iterator[tuple[str, Assignment]]:
        """Of one proxy, with the client of each. Of two of one client the last counts."""
        proxy = proxy_of(dataplane)
        conf = self._conf(proxy)
        if conf is not None and conf.backends:
            for backend in conf.backends:
                if backend.type == "Prometheus" and backend.prometheus is not None:
                    yield _of_policy(self._mesh.name, dataplane, backend.prometheus)
            return
        found = self._as_mesh_says(dataplane, proxy)
        if found is not None:
            yield DEFAULT_CLIENT, found

    def _conf(self, proxy: Proxy) -> Conf | None:
        if not self._policies:
            return None
        # Of a policy that cannot tell whom it selects its proxies are told, in their own streams.
        selections, _ = ranked_selections(self._policies, proxy, self._view)
        policies = tuple(policy for policy, _ in selections)
        key = tuple(map(id, policies))
        if key not in self._confs:
            self._confs[key] = _merged(policies)
        return self._confs[key]

    def _as_mesh_says(self, dataplane: Resource[Dataplane], proxy: Proxy) -> Assignment | None:
        try:
            conf = prometheus_conf(self._mesh.spec, dataplane.spec)
        except ParseError:
            return None  # which no write lets pass
        if conf is None:
            return None
        gateway = served_gateway(proxy, self._view.gateways)
        is_secured = conf.tls is not None and conf.tls.mode is TlsMode.providedTLS
        return Assignment(
            mesh=self._mesh.name,
            proxy=dataplane.name,
            service=dataplane.spec.service,
            scheme="https" if is_secured else "http",
            address=_address(dataplane.spec, conf.port),
            path=conf.path,
            labels=proxy_labels(dataplane.spec, gateway.meta.name if gateway else ""),
        )


def _merged(policies: tuple[Policy, ...]) -> Conf | None:
    rules = proxy_rules(policies)
    if not rules:
        return None
    try:
        conf = conf_of(POLICY_TYPE, rules[0].conf)
    except UnreadableConfError:
        return None  # its proxies are told
    assert isinstance(conf, Conf)  # noqa: S101 — of the type that was asked for
    return conf


def _of_policy(
    mesh: str, dataplane: Resource[Dataplane], client: Prometheus
) -> tuple[str, Assignment]:
    is_secured = client.tls is not None and client.tls.mode == "ProvidedTLS"
    found = Assignment(
        mesh=mesh,
        proxy=dataplane.name,
        service=dataplane.spec.service,
        scheme="https" if is_secured else "http",
        address=_address(dataplane.spec, client.port),
        path=client.path,
        # The metrics have them already.
        labels=_NO_TAGS,
    )
    return DEFAULT_CLIENT if client.client_id is None else client.client_id, found


def _address(dataplane: Dataplane, port: int) -> str:
    networking = dataplane.networking or Networking()
    return join_host_port(networking.advertised_address or networking.address, port)
