"""What the real Envoy says of generated resources, without a control plane (`--mode validate`)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from kong_mesh_cp.core.discovery.snapshots import Snapshot
from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed
from kong_mesh_cp.core.xds.names import CLUSTER, LISTENER, ROUTE, SECRET
from support.suites.patience import HANG_SECONDS

_ACCESS_LOGS = re.compile(r'"((?:/[^"]*)?kuma-al-[^"]+)"')

ADS = {
    "name": "ads",
    "type": "STATIC",
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    },
}


def complaint(binary: Path, folder: Path, snapshot: Snapshot) -> str:
    """What it does not take of the clusters, listeners with their routes, and secrets of `snapshot`;
    "" if it takes all.
    """
    bootstrap = {
        "node": {"id": "shop.web-1", "cluster": "web"},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ads"}}],
            }
        },
        "static_resources": {
            "clusters": [ADS, *_of(snapshot, CLUSTER)],
            "listeners": [_with_tables(each, snapshot) for each in _of(snapshot, LISTENER)],
            "secrets": _of(snapshot, SECRET),
        },
    }
    file = folder / "envoy.json"
    file.write_text(_with_files(json.dumps(bootstrap), folder))
    quietly = ("--mode", "validate", "--disable-hot-restart", "--concurrency", "1")
    command = [str(binary), *quietly, "-c", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    return "" if ran.returncode == 0 else ran.stderr + ran.stdout


def _with_tables(listener: dict[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """With the tables in it that it would ask for: they are not looked at otherwise."""
    tables = {each["name"]: each for each in _of(snapshot, ROUTE)}
    for chain in listener.get("filterChains", ()):
        for each in chain.get("filters", ()):
            config = each.get("typedConfig", {})
            if "rds" in config:
                config["routeConfig"] = tables[config.pop("rds")["routeConfigName"]]
    return listener


def _with_files(text: str, folder: Path) -> str:
    """Where kuma-dp takes access logs on the machine of a proxy, files to write them to."""
    for path in {*_ACCESS_LOGS.findall(text)}:
        other = folder / path.replace("/", "-")
        other.touch()
        text = text.replace(f'"{path}"', json.dumps(str(other)))
    return text


def _of(snapshot: Snapshot, url: str) -> list[dict[str, Any]]:
    found = snapshot.by_type.get(url)
    return (
        [] if found is None else [json_of_packed(each.packed) for each in found.resources.values()]
    )
