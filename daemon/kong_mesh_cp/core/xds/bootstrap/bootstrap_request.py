"""What kuma-dp asks for and tells of itself (docs/wire/bootstrap.md#request)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object

_UINT32_MAX: Final = 2**32 - 1
_UINT64_MAX: Final = 2**64 - 1


class NoBootstrapRequestError(ValueError):
    """The body is not JSON, or has a member of another type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersions:
    """What a proxy consists of."""

    version: str = ""  # of kuma-dp, like the three below
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""
    envoy_version: str = ""
    envoy_build: str = ""
    envoy_compatible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRequest:
    """One request. What is absent, or null, is empty."""

    mesh: str = ""
    name: str = ""
    proxy_type: str = "dataplane"
    token: str = field(default="", repr=False)
    token_path: str = ""
    resource: str = ""  # the text of what is to be registered
    versions: ProxyVersions = field(default_factory=ProxyVersions)
    ca_cert: str = ""  # PEM; what the proxy has verified this control plane with
    dynamic_metadata: Mapping[str, str] = field(default_factory=dict)
    dns_port: int = 0
    readiness_port: int = 0
    app_probe_proxy: bool = False
    operating_system: str = ""
    features: tuple[str, ...] = ()
    heap_bytes_max: int = 0
    workdir: str = ""
    metrics_cert_path: str = ""
    metrics_key_path: str = ""
    system_ca_path: str = ""
    ipv6: bool = False

    @property
    def node_id(self) -> str:
        """What Envoy calls itself: `<mesh>.<name>`, with no mesh for zone proxies."""
        return f"{self.mesh}.{self.name}"


def read_bootstrap_request(body: bytes) -> BootstrapRequest:
    """Members that are not known are passed over. Raises: NoBootstrapRequestError."""
    try:
        document = strict_json.parse(body)
    except strict_json.StrictJsonError as error:
        raise NoBootstrapRequestError(error.message) from None
    read = _Members(document, "")
    versions, resources = read.below("version"), read.below("resources")
    metrics = read.below("metricsResources")
    return BootstrapRequest(
        mesh=read.text("mesh"),
        name=read.text("name"),
        proxy_type=read.text("proxyType") or "dataplane",
        token=read.text("dataplaneToken"),
        token_path=read.text("dataplaneTokenPath"),
        resource=read.text("dataplaneResource"),
        versions=_versions(versions.below("kumaDp"), versions.below("envoy")),
        ca_cert=read.text("caCert"),
        dynamic_metadata=read.texts_by_name("dynamicMetadata"),
        dns_port=read.number("dnsPort"),
        readiness_port=read.number("readinessPort"),
        # The name in the JSON says the opposite of what the member means.
        app_probe_proxy=read.truth("appProbeProxyDisabled"),
        operating_system=read.text("operatingSystem"),
        features=read.texts("features"),
        heap_bytes_max=resources.number("maxHeapSizeBytes", _UINT64_MAX),
        workdir=read.text("workdir"),
        metrics_cert_path=metrics.text("certPath"),
        metrics_key_path=metrics.text("keyPath"),
        system_ca_path=read.text("systemCaPath"),
        ipv6=read.truth("ipv6Enabled"),
    )


def _versions(kuma_dp: _Members, envoy: _Members) -> ProxyVersions:
    return ProxyVersions(
        version=kuma_dp.text("version"),
        git_tag=kuma_dp.text("gitTag"),
        git_commit=kuma_dp.text("gitCommit"),
        build_date=kuma_dp.text("buildDate"),
        envoy_version=envoy.text("version"),
        envoy_build=envoy.text("build"),
        envoy_compatible=envoy.truth("kumaDpCompatible"),
    )


class _Members:
    """The members of an object, read as Go's decoder takes them: null is as absent."""

    def __init__(self, document: object, path: str) -> None:
        if document is not None and not is_object(document):
            raise NoBootstrapRequestError(f"{path or 'the body'} is no object")
        self._document: JsonObject = document or {}
        self._path = path

    def below(self, name: str) -> _Members:
        return _Members(self._document.get(name), f"{self._path}{name}.")

    def text(self, name: str) -> str:
        value = self._document.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def truth(self, name: str) -> bool:
        value = self._document.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return bool(value)

    def number(self, name: str, most: int = _UINT32_MAX) -> int:
        value = self._document.get(name)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self._wrong(name, f"a whole number from 0 to {most}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._document.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(name, "a list of texts")
        return tuple(value)

    def texts_by_name(self, name: str) -> Mapping[str, str]:
        value = self._document.get(name)
        if value is None:
            return {}
        if not is_object(value):
            raise self._wrong(name, "an object")
        found = {key: each for key, each in value.items() if isinstance(each, str)}
        if len(found) != len(value):
            raise self._wrong(name, "an object of texts")
        return found

    def _wrong(self, name: str, what: str) -> NoBootstrapRequestError:
        return NoBootstrapRequestError(f"{self._path}{name} must be {what}")
