"""What a proxy is started with, and who is refused it before it starts.

The order of the checks decides which text a proxy gets that is wrong in several ways. Nothing is
written, and the token is not looked into: that is done when Envoy connects.

Source: docs/wire/bootstrap.md#checks
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

import trio

from kong_mesh_cp.core.admission.decision import Refused
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.admission.socket_messages import violations_text
from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError, is_object
from kong_mesh_cp.core.meshes.proxy_metrics import prometheus_conf
from kong_mesh_cp.core.resources.bodies import Draft, read_draft
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.resources.kinds.zone_proxies import ZoneEgress, ZoneIngress
from kong_mesh_cp.core.resources.metrics_backend import Aggregate
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.violations import Violation
from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import BootstrapRequest
from kong_mesh_cp.core.xds.bootstrap.envoy_bootstrap import (
    BootstrapFacts,
    BootstrapTerms,
    envoy_bootstrap,
)
from kong_mesh_cp.usecases.data_plane import authentication
from kong_mesh_cp.usecases.data_plane.seat_kinds import seat_kind
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.reader import mesh_key

DATAPLANE: Final = "Dataplane"
LARGE_TEXT_BYTES: Final = 4096  # what is longer is read in a thread: others would wait for it

TOKENLESS: Final = (
    "Dataplane Token is required. Generate token using 'kumactl generate dataplane-token > "
    "/path/file' and provide it via --dataplane-token-file=/path/file argument to Kuma DP"
)
NO_AUTHORITY: Final = (
    "A data plane proxy is trying to verify the control plane using the certificate which is not a "
    "certificate authority (basic constraint 'CA' is set to 'false').\n"
    "Provide CA that was used to sign a certificate used in the control plane by using 'kuma-dp run"
    " --ca-cert-file=file' or via KUMA_CONTROL_PLANE_CA_CERT_FILE"
)
_REDIRECTED: Final = "should be empty since dataplane is in Transparent Proxying mode"

_large_texts = trio.CapacityLimiter(1)

Spec = Dataplane | ZoneIngress | ZoneEgress


class _ProxyType(NamedTuple):
    """What proxies of one type are stored as."""

    kind: authentication.ProxyKind
    resource: str
    spec: type[Spec]


_TYPES: Final = {
    each.kind.value: each
    for each in (
        _ProxyType(authentication.ProxyKind.DATAPLANE, DATAPLANE, Dataplane),
        _ProxyType(authentication.ProxyKind.INGRESS, "ZoneIngress", ZoneIngress),
        _ProxyType(authentication.ProxyKind.EGRESS, "ZoneEgress", ZoneEgress),
    )
}


class Reason(StrEnum):
    """Why a proxy is not started. All but the last are final for kuma-dp, or for as long as
    nothing changes.
    """

    UNFIT = "unfit"  # it has come by an address, or with a certificate, that cannot be
    FULL = "full"  # the license or a quota has no room
    ABSENT = "absent"  # its resource is not there yet
    INVALID = "invalid"  # its token is missing, or its resource is wrong
    IMPOSSIBLE = "impossible"  # what it sent makes no sense


_HINTS: Final = {
    Reason.UNFIT: "Start kuma-dp with an address that the certificate of dpServer is for, and with "
    "the certificate of its authority.",
    Reason.FULL: "",  # its text says it, as the limit that is reached has it
    Reason.ABSENT: "Make it with kumactl apply, or start kuma-dp with --dataplane-file.",
    Reason.INVALID: "Correct what is named, and start kuma-dp again.",
    Reason.IMPOSSIBLE: "Correct what kuma-dp is started with.",
}


class BootstrapRefusedError(ControlPlaneError):
    """Its message is the text that kuma-dp shows; "" for those that have none."""

    def __init__(self, reason: Reason, text: str = "", *, cause: str = "", hint: str = "") -> None:
        """`cause`: for the log, where the client is told nothing. `hint`: in place of the usual."""
        super().__init__(text or cause, code=f"bootstrap-{reason}", hint=hint or _HINTS[reason])
        self.reason = reason
        self.text = text


class ServerCertificate(Protocol):
    """What the server for proxies shows at the moment."""

    def chain(self) -> bytes:
        """In PEM, its own certificate first."""
        ...

    def names(self) -> Sequence[str]:
        """The hosts and addresses that it is for."""
        ...


class Seats(Protocol):
    """Who still has room."""

    async def seat_refusal(self, mesh: str, name: str, kind: ProxyKind) -> Refused | None:
        """What the license or a quota would say to this proxy now. Takes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapPorts:
    """What bootstrapping asks of the world."""

    store: ResourceStore
    certificate: ServerCertificate
    seats: Seats
    asks_for_token: Callable[[authentication.ProxyKind], bool]
    read_text: Callable[[str], object]  # the JSON document in a YAML text; raises ValueError
    corefile: Callable[[], Awaitable[bytes | None]]  # for the DNS of proxies; raises OSError
    is_no_authority: Callable[[bytes], bool]  # of a certificate in PEM; raises ValueError
    has_only_ipv4: Callable[[str], Awaitable[bool]]  # the host of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What kuma-dp itself is told."""

    transparent_proxy: bool = False
    address: str = ""
    corefile: bytes | None = None
    aggregates: Sequence[Aggregate] = ()  # applications whose metrics are scraped along


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """What a proxy is started with."""

    envoy: Mapping[str, Any]
    sidecar: Sidecar


class Bootstrapping:
    """Answers proxies that are about to start."""

    def __init__(self, ports: BootstrapPorts, terms: BootstrapTerms, *, xds_host: str = "") -> None:
        """`xds_host`: by which all Envoys find this control plane, whatever their kuma-dp does."""
        self._ports = ports
        self._terms = terms
        self._xds_host = xds_host

    async def bootstrap(self, request: BootstrapRequest, host: str) -> Bootstrap:
        """`host`: by which the proxy has found this control plane.

        Raises: BootstrapRefusedError, StateError.
        """
        ports = self._ports
        proxy_type = _TYPES.get(request.proxy_type)
        wants_token = proxy_type is not None and ports.asks_for_token(proxy_type.kind)
        if wants_token and not (request.token or request.token_path):
            raise BootstrapRefusedError(Reason.INVALID, TOKENLESS)
        xds_host = self._xds_host or self._named(host)
        if proxy_type is None:
            raise _impossible(f"unknown proxy type {go_quote(request.proxy_type)}")
        if not request.name:
            raise _impossible("the request has no name")
        mesh, spec = await self._proxy(request, proxy_type)
        sidecar, service, is_gateway = Sidecar(), request.proxy_type, False
        if isinstance(spec, Dataplane):
            service, is_gateway = spec.service, spec.is_builtin_gateway
            refused = await ports.seats.seat_refusal(request.mesh, request.name, seat_kind(spec))
            if refused is not None:
                raise BootstrapRefusedError(Reason.FULL, refused.text)
            sidecar = await self._sidecar(mesh, spec)
        admin = spec.networking.admin if spec.networking else None
        facts = BootstrapFacts(
            service=service,
            xds_host=xds_host,
            authority=self._authority(request),
            ipv4_only=await ports.has_only_ipv4(xds_host),
            admin_port=admin.port if admin else 0,
            is_builtin_gateway=is_gateway,
        )
        return Bootstrap(envoy=envoy_bootstrap(request, facts, self._terms), sidecar=sidecar)

    def _named(self, host: str) -> str:
        """`host`, for which there is a certificate. Raises: BootstrapRefusedError."""
        names = self._ports.certificate.names()
        if host not in names:
            raise BootstrapRefusedError(Reason.UNFIT, _other_names(host, names))
        return host

    async def _proxy(self, request: BootstrapRequest, proxy_type: _ProxyType) -> tuple[str, Spec]:
        """The proxy, and its mesh. Raises: BootstrapRefusedError, StateError."""
        if not request.resource:
            mesh = request.mesh
            key = ResourceKey(proxy_type.resource, mesh, request.name)
            found = await self._ports.store.get(key)
            if found is None:
                cause = f"{key.type} {go_quote(key.name)} of mesh {go_quote(key.mesh)} is not there"
                raise BootstrapRefusedError(Reason.ABSENT, cause=cause)
            return mesh, spec_as(proxy_type.spec, found)
        draft = await self._brought(request.resource, proxy_type.resource)
        spec: Spec = draft.spec
        violations = KINDS[proxy_type.resource].validate(spec)
        if not violations and isinstance(spec, Dataplane):
            violations = _redirection_violations(spec)
            if not violations and await self._mesh(draft.meta.mesh) is None:
                text = f"mesh {go_quote(draft.meta.mesh)} does not exist"
                violations = [Violation("mesh", text)]
        if violations:
            raise BootstrapRefusedError(Reason.INVALID, violations_text(violations))
        return draft.meta.mesh, spec

    async def _brought(self, text: str, resource_type: str) -> Draft:
        def read() -> Draft:
            document = self._ports.read_text(text)
            if not is_object(document) or document.get("type") != resource_type:
                raise ValueError(f"it is no {resource_type}")
            return read_draft(KINDS[resource_type], TYPES[resource_type], document)

        try:
            if len(text) <= LARGE_TEXT_BYTES:
                return read()
            return await trio.to_thread.run_sync(read, limiter=_large_texts)
        except (ValueError, ParseError, InvalidResourceError) as error:
            raise _impossible(f"the resource cannot be read: {error}") from None

    async def _mesh(self, name: str) -> Mesh | None:
        found = await self._ports.store.get(mesh_key(name)) if name else None
        return None if found is None else spec_as(Mesh, found)

    async def _sidecar(self, mesh_name: str, spec: Dataplane) -> Sidecar:
        mesh = await self._mesh(mesh_name)
        if mesh is None:
            raise BootstrapRefusedError(Reason.ABSENT, cause=f"mesh {mesh_name} is not there")
        networking = spec.networking
        try:
            corefile = await self._ports.corefile()
        except OSError as error:
            raise _impossible(
                f"the template of the Corefile cannot be read: {error}",
                hint="Correct bootstrapServer.params.corefileTemplatePath, or the file.",
            ) from None
        return Sidecar(
            corefile=corefile,
            transparent_proxy=bool(networking and networking.transparent_proxying),
            address=networking.address if networking else "",
            aggregates=_aggregates(mesh, spec),
        )

    def _authority(self, request: BootstrapRequest) -> bytes:
        """With what Envoy verifies this control plane. Raises: BootstrapRefusedError."""
        authority = request.ca_cert.encode() or self._ports.certificate.chain()
        try:
            is_leaf = self._ports.is_no_authority(authority)
        except ValueError as error:
            raise _impossible(f"the certificate of an authority cannot be read: {error}") from None
        if is_leaf:
            raise BootstrapRefusedError(Reason.UNFIT, NO_AUTHORITY)
        return authority


def _redirection_violations(spec: Dataplane) -> list[Violation]:
    networking = spec.networking
    if networking and networking.transparent_proxying is not None and networking.outbound:
        return [Violation("outbound", _REDIRECTED)]
    return []


def _aggregates(mesh: Mesh, spec: Dataplane) -> Sequence[Aggregate]:
    """Those that are not off."""
    conf = prometheus_conf(mesh, spec)
    return () if conf is None else [each for each in conf.aggregate if each.enabled is not False]


def _other_names(host: str, names: Sequence[str]) -> str:
    known = " ".join(go_quote(name) for name in sorted(set(names)))
    return (
        f"A data plane proxy is trying to connect to the control plane using {go_quote(host)} "
        f"address, but the certificate in the control plane has the following SANs [{known}]. "
        "Either change the --cp-address in kuma-dp to one of those or execute the following steps:"
        "\n1) Generate a new certificate with the address you are trying to use. It is recommended "
        "to use trusted Certificate Authority, but you can also generate self-signed certificates "
        f"using 'kumactl generate tls-certificate --type=server --hostname={host}'\n"
        "2) Set KUMA_GENERAL_TLS_CERT_FILE and KUMA_GENERAL_TLS_KEY_FILE or the equivalent in Kuma "
        "CP config file to the new certificate.\n"
        "3) Restart the control plane to read the new certificate and start kuma-dp."
    )


def _impossible(cause: str, *, hint: str = "") -> BootstrapRefusedError:
    return BootstrapRefusedError(Reason.IMPOSSIBLE, cause=cause, hint=hint)
