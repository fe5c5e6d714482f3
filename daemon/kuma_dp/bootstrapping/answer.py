"""What the control plane answered: Envoy's configuration, and what this process is to know.

Source: docs/wire/bootstrap.md#answer
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kuma_dp.errors import NotNowError
from kuma_dp.metrics.mesh_metric import Application
from kumactl.documents import yaml_text
from kumactl.errors import UsageError

TOKEN_SECRET: Final = "dataplane_token"  # noqa: S105 - its name in Envoy
_ADS_CLUSTER: Final = "ads_cluster"
_TYPE: Final = "type.googleapis.com/envoy.extensions"
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """One answer, read."""

    envoy: bytes  # its configuration as it came, YAML
    document: Mapping[str, Any]
    admin_host: str
    admin_port: int  # 0: Envoy has no admin interface
    service: str  # of Envoy's node
    address: str  # of the proxy
    uses_transparent_proxy: bool
    applications: tuple[Application, ...]  # whose metrics are gathered


def read_bootstrap(content: bytes) -> Bootstrap:
    """Raises: NotNowError `bootstrap-unreadable`."""
    try:
        answer = json.loads(content)
        envoy = base64.b64decode(answer["bootstrap"], validate=True)
        (document,) = yaml_text.parse_documents(envoy.decode(), "the bootstrap")
        return _bootstrap(envoy, document, answer.get("kumaSidecarConfiguration") or {})
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, UsageError):
        raise NotNowError(
            "what the control plane answered is no bootstrap",
            code="bootstrap-unreadable",
            hint="Look at the version of the control plane: it has to speak as Kuma 2.10 does.",
        ) from None


def _bootstrap(envoy: bytes, document: Any, sidecar: Any) -> Bootstrap:
    host, port = _admin(document)
    networking = sidecar.get("networking") or {}
    aggregate = (sidecar.get("metrics") or {}).get("aggregate") or ()
    applications = [
        Application(
            name=each["name"], host=each["address"], port=int(each["port"]), path=each["path"]
        )
        for each in aggregate
    ]
    return Bootstrap(
        envoy=envoy,
        document=document,
        admin_host=host,
        admin_port=port,
        service=str(document["node"].get("cluster", "")),
        address=str(networking.get("address") or ""),
        uses_transparent_proxy=bool(networking.get("isUsingTransparentProxy")),
        applications=tuple(applications),
    )


def _admin(document: Any) -> tuple[str, int]:
    if "node" not in document:
        raise KeyError("node")
    admin = document.get("admin")
    if admin is None:
        return "127.0.0.1", 0
    socket = admin["address"]["socketAddress"]
    return str(socket["address"]), int(socket.get("portValue", 0))


def with_token_of_file(bootstrap: Bootstrap, path: str) -> bytes:
    """Envoy's configuration, in which the token of each new stream is read from `path`.

    A token of the admission socket is for minutes; in a configuration it would stand for ever, and
    a stream that is opened later would be refused. `path` is a file of Envoy's secrets.
    """
    document: dict[str, Any] = json.loads(json.dumps(bootstrap.document))
    streams = (document.get("dynamicResources", {}).get("adsConfig"), document.get("hdsConfig"))
    for stream in streams:
        for service in (stream or {}).get("grpcServices", ()):
            service.pop("initialMetadata", None)
    for cluster in document.get("staticResources", {}).get("clusters", ()):
        if cluster.get("name") == _ADS_CLUSTER:
            options = cluster["typedExtensionProtocolOptions"][_OPTIONS]
            options["httpFilters"] = _token_filters(path)
    return json.dumps(document, ensure_ascii=False).encode()


def _token_filters(path: str) -> list[dict[str, object]]:
    generic = {
        "@type": f"{_TYPE}.http.injected_credentials.generic.v3.Generic",
        "credential": {"name": TOKEN_SECRET, "sdsConfig": {"pathConfigSource": {"path": path}}},
    }
    injector = {
        "@type": f"{_TYPE}.filters.http.credential_injector.v3.CredentialInjector",
        "overwrite": True,
        "credential": {"name": "envoy.http.injected_credentials.generic", "typedConfig": generic},
    }
    codec = {"@type": f"{_TYPE}.filters.http.upstream_codec.v3.UpstreamCodec"}
    return [
        {"name": "envoy.filters.http.credential_injector", "typedConfig": injector},
        {"name": "envoy.filters.http.upstream_codec", "typedConfig": codec},
    ]


def token_secret(token: str) -> bytes:
    """The file of Envoy's secrets that `with_token_of_file` names."""
    secret = {
        "@type": f"{_TYPE}.transport_sockets.tls.v3.Secret",
        "name": TOKEN_SECRET,
        "genericSecret": {"secret": {"inlineString": token}},
    }
    return json.dumps({"resources": [secret]}).encode()
