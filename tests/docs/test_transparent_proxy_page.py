"""The page on the transparent proxy is run in a network namespace; its table knows what is said."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from kong_mesh_cp.core.resources.kinds.dataplane import Dataplane
from kong_mesh_cp.core.schema.messages import read_message
from support.packages.network_namespace import DAEMON, namespace

PAGE = (Path(__file__).parents[2] / "docs" / "transparent-proxy.md").read_text(encoding="utf-8")
LINES = re.findall(r"^(?:useradd|kumactl) .+$", PAGE, re.MULTILINE)
SAID = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
# The page makes a user of its own, whom this machine is not given: this one is on every machine.
USER = "nobody"


@pytest.mark.system
def test_the_commands_of_the_page_redirect_and_are_found_to_do_so(tmp_path: Path) -> None:
    new_user, dry_run, install, validate = (shlex.split(line) for line in LINES)
    assert new_user[-1] == "kuma-dp"
    assert dry_run == [*install, "--dry-run"]
    with namespace(tmp_path) as there:

        def kumactl(line: list[str], *more: str) -> str:
            return there.kumactl(
                *(USER if word == "kuma-dp" else word for word in line[1:]), *more
            ).stdout

        shown = kumactl(dry_run)
        assert "KUMA_MESH_OUTBOUND" in shown
        assert there.rules() == []

        kumactl(install)
        rules = "\n".join(there.rules())
        assert "--to-ports 15006" in rules and "--to-ports 15001" in rules
        assert "--dport 22 " in rules, "a way in stays open"
        assert "15053" in rules, "DNS is redirected"
        assert "port 15006" in kumactl(validate, "--kuma-dp-user", USER)


def test_the_dataplane_of_the_page_names_the_ports_of_the_page() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    dataplane = read_message(Dataplane, yaml.safe_load(block))

    proxying = dataplane.networking.transparent_proxying if dataplane.networking else None
    assert proxying is not None
    assert (proxying.redirect_port_inbound, proxying.redirect_port_outbound) == (15006, 15001)


def test_what_the_table_explains_is_what_the_commands_say() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((DAEMON / "kumactl" / "transparent_proxy").glob("*.py"))
    )
    joined = re.sub(r'"\s+f?"', "", sources)  # texts that are written in several lines
    assert len(SAID) == 6
    for said in SAID:
        # Between these stand a program's name, a user's number and a port.
        for part in re.split(r"^iptables | 5678 | …|15006", said):
            assert part.strip() in joined, part
