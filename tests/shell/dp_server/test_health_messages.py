from __future__ import annotations

from datetime import timedelta

import pytest
from envoy.service.health.v3 import hds_pb2
from google.protobuf import json_format

from kong_mesh_cp.core.xds.health_checks import HealthCheck, HealthSpecifier
from kong_mesh_cp.shell.dp_server.health_messages import health_specifier, read_health_message
from kong_mesh_cp.usecases.data_plane.stream_ports import NodeTold


def check(cluster: str, path: str = "", source: str = "") -> HealthCheck:
    one, two = timedelta(seconds=1), timedelta(milliseconds=2500)
    return HealthCheck(cluster, "10.0.0.1", 80, two, one, one, 1, 3, path, source)


def test_checks_are_written_as_envoy_reads_them() -> None:
    written = health_specifier(
        HealthSpecifier(
            timedelta(seconds=5),
            (check("kuma:envoy:admin", "/ready"), check("b", source="127.0.0.6")),
        )
    )

    shown = json_format.MessageToDict(hds_pb2.HealthCheckSpecifier.FromString(written))
    common = {
        "localityEndpoints": [
            {
                "endpoints": [
                    {"address": {"socketAddress": {"address": "10.0.0.1", "portValue": 80}}}
                ]
            }
        ],
    }
    checked = {
        "timeout": "2.500s",
        "interval": "1s",
        "noTrafficInterval": "1s",
        "healthyThreshold": 1,
        "unhealthyThreshold": 3,
    }
    assert shown == {
        "interval": "5s",
        "clusterHealthChecks": [
            {
                **common,
                "clusterName": "kuma:envoy:admin",
                "healthChecks": [{**checked, "httpHealthCheck": {"path": "/ready"}}],
            },
            {
                **common,
                "clusterName": "b",
                "healthChecks": [{**checked, "tcpHealthCheck": {}}],
                "upstreamBindConfig": {"sourceAddress": {"address": "127.0.0.6", "portValue": 0}},
            },
        ],
    }


@pytest.mark.parametrize(
    ("status", "healthy"),
    [("UNKNOWN", True), ("HEALTHY", True), ("UNHEALTHY", False), ("TIMEOUT", False)],
)
def test_what_is_not_known_to_be_ill_is_healthy(status: str, *, healthy: bool) -> None:
    sent = hds_pb2.HealthCheckRequestOrEndpointHealthResponse()
    json_format.ParseDict(
        {
            "endpointHealthResponse": {
                "clusterEndpointsHealth": [
                    {
                        "clusterName": "localhost:80",
                        "localityEndpointsHealth": [
                            {"endpointsHealth": [{"healthStatus": status}]}
                        ],
                    },
                    {"clusterName": "localhost:81"},
                ]
            }
        },
        sent,
    )

    assert read_health_message(sent.SerializeToString()) == {"localhost:80": healthy}


def test_a_request_says_whose_it_is() -> None:
    sent = hds_pb2.HealthCheckRequestOrEndpointHealthResponse()
    sent.health_check_request.node.id = "default.backend-1"

    assert read_health_message(sent.SerializeToString()) == NodeTold("default.backend-1", {})


@pytest.mark.parametrize("message", [b"", b"\xff" * 20])
def test_what_is_neither_request_nor_report_is_a_value_error(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_health_message(message)
