"""What a daemon observes, as its clients see it: over HTTP and by kumactl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.kumactl_runs import User

pytestmark = pytest.mark.system

ANY = [{"match": {"kuma.io/service": "*"}}]


def _put(daemon: Daemon, type_name: str, path: str, name: str, **members: object) -> None:
    body = {"type": type_name, "mesh": "default", "name": name, **members}
    headers = {"Content-Type": "application/json"}
    target = f"/meshes/default/{path}/{name}"
    answer = daemon.api("PUT", target, headers, json.dumps(body).encode())
    assert answer.status == 201, answer.body


def _web(daemon: Daemon) -> None:
    networking = {
        "address": "192.168.0.1",
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "web"}}],
        "outbound": [{"port": 10001, "tags": {"kuma.io/service": "db"}}],
    }
    _put(daemon, "Dataplane", "dataplanes", "web-1", networking=networking)


def test_a_proxy_that_is_written_is_counted(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        eventually("the default mesh", lambda: daemon.api("GET", "/mesh-insights").json["total"])
        _web(daemon)
        eventually(
            "the proxy is counted",
            lambda: (
                daemon.api("GET", "/global-insight").json["dataplanes"]["standard"]["total"] == 1  # type: ignore[index]
            ),
        )
        shown = daemon.api("GET", "/mesh-insights/default").json
        assert shown["services"] == {"total": 1, "internal": 1}
        user = User(tmp_path, f"http://{daemon.addresses['api'].removeprefix('http://')}")
        for words, line in (
            (("meshes",), "default   0/1"),
            (("services",), "web       Offline   0/1"),
            (("dataplanes",), "default   web-1"),
        ):
            ran = user.run("inspect", *words)
            assert (ran.status, ran.err) == (0, "")
            assert line in ran.out, ran.out


def test_policies_and_proxies_are_shown_by_each_other(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        eventually("the default mesh", lambda: daemon.api("GET", "/mesh-insights").json["total"])
        _web(daemon)
        conf = {"connectTimeout": "5s"}
        _put(daemon, "Timeout", "timeouts", "t", sources=ANY, destinations=ANY, conf=conf)
        user = User(tmp_path, f"http://{daemon.addresses['api'].removeprefix('http://')}")
        of_proxy = user.run("inspect", "dataplane", "web-1").out
        assert "OUTBOUND 127.0.0.1:10001(db):\n  Timeout\n    t\n" in of_proxy
        assert "MeshRetry\n    mesh-retry-all-default\n" in of_proxy
        of_policy = user.run("inspect", "timeout", "t").out
        assert "  web-1:\n    outbound 127.0.0.1:10001(db)\n" in of_policy
        refused = user.run("inspect", "dataplane", "web-1", "--type=stats")
        assert refused.status
        assert 'the admin API of Dataplane "web-1" cannot be reached' in refused.err
