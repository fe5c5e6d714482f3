"""Every option of `kuma-dp run`, in one table: its flag, its variable, its default, what it is for.

Source: docs/wire/kuma-dp.md#options
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from kuma_dp.given import values

ADMISSION_SOCKET: Final = "KMESH_ADMISSION_SOCKET"
SKIP_VERIFY: Final = "KMESH_SKIP_VERIFY"


class Option(NamedTuple):
    """One option. `name` is the field of Settings; without a flag it is given by its variable."""

    name: str
    flag: str
    variable: str
    read: Callable[[str], object]
    default: object
    help: str
    short: str = ""


# In the order in which help shows them.
OPTIONS: Final = (
    Option("name", "--name", "KUMA_DATAPLANE_NAME", values.text, "", "name of the Dataplane"),
    Option("mesh", "--mesh", "KUMA_DATAPLANE_MESH", values.text, "", "mesh of the Dataplane"),
    Option(
        "proxy_type",
        "--proxy-type",
        "KUMA_DATAPLANE_PROXY_TYPE",
        values.proxy_type,
        "dataplane",
        "dataplane, ingress or egress",
    ),
    Option(
        "cp_address",
        "--cp-address",
        "KUMA_CONTROL_PLANE_URL",
        values.text,
        "https://localhost:5678",
        "URL of the control plane's server for proxies",
    ),
    Option(
        "ca_cert_file",
        "--ca-cert-file",
        "KUMA_CONTROL_PLANE_CA_CERT_FILE",
        values.text,
        "",
        "file with the authority that the control plane's certificate has to be of",
    ),
    Option("ca_cert", "", "KUMA_CONTROL_PLANE_CA_CERT", values.text, "", "the same, as PEM"),
    Option(
        "skip_verify",
        "--skip-verify",
        SKIP_VERIFY,
        values.switch,
        False,
        "take any certificate: whoever answers gets the token",
    ),
    Option(
        "admission_socket",
        "--admission-socket",
        ADMISSION_SOCKET,
        values.text,
        "",
        "join through this socket of a control plane on this machine: no token file is needed",
    ),
    Option(
        "resource_path",
        "--dataplane-file",
        "KUMA_DATAPLANE_RUNTIME_RESOURCE_PATH",
        values.text,
        "",
        "file with the Dataplane to register, a template; - is standard input",
        "-d",
    ),
    Option(
        "resource",
        "--dataplane",
        "KUMA_DATAPLANE_RUNTIME_RESOURCE",
        values.text,
        "",
        "the Dataplane itself, YAML or JSON",
    ),
    Option(
        "token_path",
        "--dataplane-token-file",
        "KUMA_DATAPLANE_RUNTIME_TOKEN_PATH",
        values.text,
        "",
        "file with a token of `kumactl generate dataplane-token`",
    ),
    Option(
        "token",
        "--dataplane-token",
        "KUMA_DATAPLANE_RUNTIME_TOKEN",
        values.text,
        "",
        "the token itself; every user of the machine can read it in the list of processes",
    ),
    Option(
        "binary_path",
        "--binary-path",
        "KUMA_DATAPLANE_RUNTIME_BINARY_PATH",
        values.text,
        "envoy",
        "Envoy's executable",
    ),
    Option(
        "concurrency",
        "--concurrency",
        "KUMA_DATAPLANE_RUNTIME_CONCURRENCY",
        values.count,
        0,
        "Envoy's worker threads; 0: one for each processor that it may use",
    ),
    Option(
        "drain_seconds",
        "--drain-time",
        "KUMA_DATAPLANE_DRAIN_TIME",
        values.seconds,
        30.0,
        "how long connections may take to end at a stop",
    ),
    Option(
        "config_dir",
        "--config-dir",
        "KUMA_DATAPLANE_RUNTIME_CONFIG_DIR",
        values.text,
        "",
        "where Envoy's configuration is written; by default a folder that goes at the end",
    ),
    Option(
        "socket_dir",
        "",
        "KUMA_DATAPLANE_RUNTIME_SOCKET_DIR",
        values.text,
        "",
        "where the sockets between Envoy and this process are",
    ),
    Option(
        "envoy_log_level",
        "--envoy-log-level",
        "KUMA_DATAPLANE_RUNTIME_ENVOY_LOG_LEVEL",
        values.envoy_level,
        "",
        "trace, debug, info, warning, error, critical or off; by default as --log-level",
    ),
    Option(
        "envoy_component_log_level",
        "--envoy-component-log-level",
        "KUMA_DATAPLANE_RUNTIME_ENVOY_COMPONENT_LOG_LEVEL",
        values.envoy_components,
        "",
        "levels of parts of Envoy: upstream:debug,config:trace",
    ),
    Option(
        "readiness_port",
        "",
        "KUMA_READINESS_PORT",
        values.port,
        9902,
        "port of /ready on this machine; 0: none",
    ),
    Option(
        "probe_port",
        "",
        "KUMA_APPLICATION_PROBE_PROXY_PORT",
        values.port,
        0,
        "port on which others may ask for the health of applications; 0: none",
    ),
    Option(
        "dns_enabled",
        "--dns-enabled",
        "KUMA_DNS_ENABLED",
        values.switch,
        True,
        "whether DNS of the machine is answered here, with transparent proxying",
    ),
    Option(
        "dns_port",
        "--dns-coredns-port",
        "KUMA_DNS_CORE_DNS_PORT",
        values.port,
        15053,
        "port on which it is",
    ),
    Option(
        "dns_log_queries",
        "--dns-enable-logging",
        "KUMA_DNS_ENABLE_LOGGING",
        values.switch,
        False,
        "whether each question is logged",
    ),
    Option(
        "dns_envoy_port",
        "--dns-envoy-port",
        "KUMA_DNS_ENVOY_DNS_PORT",
        values.port,
        15054,
        "port on which Envoy answers for names of the mesh, with transparent proxying",
    ),
    Option(
        "metrics_cert_path",
        "--metrics-cert-path",
        "KUMA_DATAPLANE_RUNTIME_METRICS_CERT_PATH",
        values.text,
        "",
        "certificate of Envoy's listener for metrics",
    ),
    Option(
        "metrics_key_path",
        "--metrics-key-path",
        "KUMA_DATAPLANE_RUNTIME_METRICS_KEY_PATH",
        values.text,
        "",
        "its key",
    ),
    Option(
        "system_ca_path",
        "",
        "KUMA_DATAPLANE_RUNTIME_DYNAMIC_SYSTEM_CA_PATH",
        values.text,
        "",
        "file with the authorities of this machine; by default the distribution's",
    ),
    Option(
        "ipv6",
        "",
        "KUMA_DATAPLANE_RUNTIME_IPV6_ENABLED",
        values.switch,
        True,
        "whether Envoy may use IPv6, where the machine has it",
    ),
    Option(
        "memory_bytes_max",
        "",
        "KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES",
        values.count,
        0,
        "memory that Envoy may use; 0: what the control group allows",
    ),
    Option(
        "refresh_seconds",
        "",
        "KUMA_DATAPLANE_RUNTIME_DYNAMIC_CONFIGURATION_REFRESH_INTERVAL",
        values.seconds,
        10.0,
        "between two looks at what a MeshMetric says",
    ),
    Option(
        "retry_seconds",
        "",
        "KUMA_CONTROL_PLANE_RETRY_BACKOFF",
        values.seconds,
        3.0,
        "between two tries to reach the control plane",
    ),
    Option(
        "retry_seconds_max",
        "",
        "KUMA_CONTROL_PLANE_RETRY_MAX_DURATION",
        values.seconds,
        300.0,
        "how long to try",
    ),
)

VARS_FLAG: Final = "--dataplane-var"
# Of a Dataplane, and of authorities (a bundle of a distribution has 220 KiB): they go into one
# request, of which the control plane takes no more.
GIVEN_BYTES_MAX: Final = 1024 * 1024

# Options of the original that are for what this program does not have: flag and variable.
WITHOUT_EFFECT: Final = (
    ("--dns-coredns-path", "KUMA_DNS_CORE_DNS_BINARY_PATH"),
    ("--dns-coredns-config-template-path", "KUMA_DNS_CORE_DNS_CONFIG_TEMPLATE_PATH"),
    ("--dns-server-config-dir", "KUMA_DNS_CONFIG_DIR"),
    ("--dns-prometheus-port", "KUMA_DNS_PROMETHEUS_PORT"),
    ("--log-output-path", ""),
    ("--log-max-retained-files", ""),
    ("--log-max-size", ""),
    ("--log-max-age", ""),
)
PREFIXES: Final = (
    "KUMA_DATAPLANE_",
    "KUMA_CONTROL_PLANE_",
    "KUMA_READINESS_",
    "KUMA_DNS_",
    "KUMA_APPLICATION_PROBE_",
)
"""Beginnings of variables that are for this program: others are somebody else's business."""
