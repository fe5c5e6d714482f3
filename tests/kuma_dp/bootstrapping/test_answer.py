"""Bootstraps as control planes answer them, and the token that moves out of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kuma_dp.bootstrapping.answer import read_bootstrap, token_secret, with_token_of_file
from kuma_dp.errors import NotNowError

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ENVOY = f"""\
admin:
  address:
    socketAddress: {{address: 127.0.0.1, portValue: 9901}}
dynamicResources:
  adsConfig:
    grpcServices:
    - envoyGrpc: {{clusterName: ads_cluster}}
      initialMetadata: [{{key: authorization, value: secret-token}}]
hdsConfig:
  grpcServices:
  - envoyGrpc: {{clusterName: ads_cluster}}
    initialMetadata: [{{key: authorization, value: secret-token}}]
node: {{id: default.backend-1, cluster: backend}}
staticResources:
  clusters:
  - name: access_log_sink
  - name: ads_cluster
    typedExtensionProtocolOptions:
      {OPTIONS}: {{explicitHttpConfig: {{http2ProtocolOptions: {{}}}}}}
"""


def answered(envoy: str = ENVOY, **networking: object) -> bytes:
    document = {
        "bootstrap": base64.b64encode(envoy.encode()).decode(),
        "kumaSidecarConfiguration": {
            "networking": networking,
            "metrics": {
                "aggregate": [
                    {"name": "app", "address": "10.0.0.1", "port": 8080, "path": "/metrics"}
                ]
            },
        },
    }
    return json.dumps(document).encode()


def test_envoys_configuration_is_kept_as_it_came() -> None:
    read = read_bootstrap(answered(isUsingTransparentProxy=True, address="10.0.0.1"))

    assert read.envoy == ENVOY.encode()
    assert (read.admin_host, read.admin_port) == ("127.0.0.1", 9901)
    assert read.uses_transparent_proxy
    assert (read.service, read.address) == ("backend", "10.0.0.1")
    (application,) = read.applications
    assert (application.name, application.host, application.port, application.path) == (
        "app",
        "10.0.0.1",
        8080,
        "/metrics",
    )


def test_an_envoy_without_admin_interface_has_port_0() -> None:
    assert read_bootstrap(answered("node: {id: a.b}")).admin_port == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"<html>",
        b"{}",
        b'{"bootstrap": "%%%"}',
        answered("[1]"),
        answered("admin: {}"),
        answered("node: {}\nadmin: {address: 5}"),
        answered("a: ["),
        answered(""),
    ],
)
def test_what_is_no_bootstrap_is_refused(content: bytes) -> None:
    with pytest.raises(NotNowError) as refused:
        read_bootstrap(content)
    assert refused.value.code == "bootstrap-unreadable"


def test_a_token_of_minutes_is_nowhere_in_the_configuration_but_in_its_file() -> None:
    configuration = with_token_of_file(read_bootstrap(answered()), "/run/x/token.json")

    assert b"secret-token" not in configuration
    document: dict[str, Any] = json.loads(configuration)
    (cluster,) = [
        each for each in document["staticResources"]["clusters"] if each["name"] == "ads_cluster"
    ]
    injector, codec = cluster["typedExtensionProtocolOptions"][OPTIONS]["httpFilters"]
    assert "/run/x/token.json" in json.dumps(injector)
    assert codec["name"] == "envoy.filters.http.upstream_codec"
    assert json.loads(token_secret("new"))["resources"][0]["genericSecret"] == {
        "secret": {"inlineString": "new"}
    }
