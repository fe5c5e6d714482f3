"""`kumactl install transparent-proxy` with iptables itself, in network namespaces of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.packages.network_namespace import DAEMON, KINDS, Namespace, namespace

pytestmark = pytest.mark.system

INSTALL = ("install", "transparent-proxy", "--kuma-dp-user", "nobody")
VALIDATE = ("install", "transparent-proxy-validator", "--kuma-dp-user", "nobody")
UNINSTALL = ("uninstall", "transparent-proxy")
THEIRS = ("-p", "tcp", "-m", "tcp", "--dport", "9", "-m", "comment", "--comment", "of others")
ALL_KINDS_OF_RULES = (
    *("--redirect-all-dns-traffic", "--drop-invalid-packets", "--iptables-logs"),
    *("--exclude-inbound-ports", "22,443", "--exclude-outbound-ports", "8443"),
    *("--exclude-inbound-ips", "10.0.0.1,fd00::/8", "--exclude-outbound-ips", "10.0.0.0/8,fd01::1"),
    *("--exclude-outbound-ports-for-uids", "tcp:22,80-90:1000-2000"),
    *("--vnet", "br+:172.18.0.0/16", "--vnet", "docker0:fd02::/64"),
    "--redirect-outbound-insert-instead-of-append",
)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Namespace]:
    with namespace(tmp_path) as found:
        yield found


def _programs(kind: str) -> tuple[str, str]:
    names = [
        f"{family}{suffix}"
        for family in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    ]
    paths = [re.sub(r"^(ip6?tables)", rf"\1-{kind}", name) for name in names]
    pairs = ",".join(f"{name}:{path}" for name, path in zip(names, paths, strict=True))
    return ("--iptables-executables", pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_of_the_proxy_is_redirected_once_it_is_installed(
    kind: str, there: Namespace
) -> None:
    before = there.kumactl(*VALIDATE, "--validation-tries", "1", check=False)
    there.kumactl(*INSTALL, *_programs(kind))
    after = there.kumactl(*VALIDATE)

    assert before.returncode == 1
    assert "validation failed: what user 65534 sends to 127.0.0.6 does not come" in before.stderr
    assert "a connection to 127.0.0.6, port " in after.stdout
    assert "a connection to ::6, port " in after.stdout
    assert after.stdout.endswith("validation successful, iptables rules applied correctly\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_rule_is_taken_by_iptables_as_it_was_shown(
    kind: str, there: Namespace
) -> None:
    shown = there.kumactl(*INSTALL, *_programs(kind), *ALL_KINDS_OF_RULES, "--dry-run").stdout
    assert there.rules(kind) == there.rules(kind, "ip6tables") == []

    there.kumactl(*INSTALL, *_programs(kind), *ALL_KINDS_OF_RULES)

    for family, heading in (("iptables", "### IPv4 ###"), ("ip6tables", "### IPv6 ###")):
        part = shown.partition(heading)[2].partition("###")[0]
        told = [line for line in part.splitlines() if line.startswith(("-A", "-I"))]
        chains = [line.split()[1] for line in there.rules(kind, family)]
        assert len(told) > 20
        assert sorted(chains) == sorted(line.split()[1] for line in told)


@pytest.mark.parametrize("kind", KINDS)
def test_installing_again_changes_nothing_and_uninstalling_leaves_what_is_of_others(
    kind: str, there: Namespace
) -> None:
    there.run(f"iptables-{kind}", "-t", "nat", "-A", "OUTPUT", *THEIRS, "-j", "RETURN")
    before = there.rules(kind)

    there.kumactl(*INSTALL, *_programs(kind), *ALL_KINDS_OF_RULES)
    once = there.rules(kind), there.rules(kind, "ip6tables")
    there.kumactl(*INSTALL, *_programs(kind), *ALL_KINDS_OF_RULES)
    twice = there.rules(kind), there.rules(kind, "ip6tables")
    shown = there.kumactl(*UNINSTALL, "--dry-run").stdout
    still = there.rules(kind), there.rules(kind, "ip6tables")
    there.kumactl(*UNINSTALL)

    assert once == twice == still
    assert "-X KUMA_MESH_INBOUND\n" in shown
    assert "of others" not in shown
    assert there.rules(kind) == before
    assert there.rules(kind, "ip6tables") == []
    assert "::6" not in there.run("ip", "-6", "addr", "show", "dev", "lo").stdout


def test_an_install_with_other_settings_replaces_the_earlier_one(there: Namespace) -> None:
    there.kumactl(*INSTALL, *ALL_KINDS_OF_RULES)
    there.kumactl(*INSTALL, "--redirect-inbound=false", "--ip-family-mode", "ipv4")

    rules = there.rules()
    inbound = [line for line in rules if line.startswith("-A KUMA_MESH_INBOUND ")]
    assert len(inbound) == 1
    assert inbound[0].endswith('/inbound traffic is not redirected" -j RETURN')
    assert not [line for line in rules if "dport 53" in line or "INVALID" in line]


def test_rules_come_where_those_of_others_are_and_an_earlier_install_is_found_there(
    there: Namespace,
) -> None:
    there.run("iptables-legacy", "-t", "nat", "-A", "OUTPUT", *THEIRS, "-j", "RETURN")

    there.kumactl(*INSTALL)
    assert [len(there.rules(kind)) for kind in KINDS] == [0, 12]
    there.kumactl(*INSTALL, *_programs("nft"))
    both = there.kumactl(*INSTALL)

    # What was once installed into the other kind would hold as well, so it is taken out.
    assert "conflicting iptables modes detected" in both.stderr
    assert [len(there.rules(kind)) for kind in KINDS] == [11, 1]


def test_without_comments_it_can_be_repeated_and_undone_as_long_as_rules_can_be_told(
    there: Namespace,
) -> None:
    there.kumactl(*INSTALL, "--disable-comments")
    there.kumactl(*INSTALL, "--disable-comments")
    there.run("iptables-nft", "-t", "nat", "-A", "OUTPUT", *THEIRS, "-j", "RETURN")
    refused = there.kumactl(*UNINSTALL, check=False)
    there.run("iptables-nft", "-t", "nat", "-D", "OUTPUT", *THEIRS, "-j", "RETURN")
    there.kumactl(*UNINSTALL)

    assert refused.returncode == 1
    assert "Whose rule this is cannot be told: -A OUTPUT" in refused.stderr
    assert there.rules() == []


def test_uninstalling_where_nothing_is_installed_says_so(there: Namespace) -> None:
    said = there.kumactl(*UNINSTALL).stdout

    assert said.startswith("# no transparent proxy rules detected. No cleanup necessary\n")


def test_dns_is_redirected_to_what_resolv_conf_names_of_each_family(
    there: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 10.0.0.2\nnameserver fe80::1%lo\n#x\n")
    text = f'redirect: {{dns: {{enabled: true, resolvConfigPath: "{tmp_path}/resolv.conf"}}}}'

    shown = there.kumactl(*INSTALL, "--config", text, "--dry-run").stdout
    there.kumactl(*INSTALL, "--config", text)

    assert "-d 10.0.0.2 -p udp --dport 53 -j REDIRECT --to-ports 15053" in shown
    assert "-d fe80::1 -p udp --dport 53 -j REDIRECT --to-ports 15053" in shown
    assert [line for line in there.rules() if "-d 10.0.0.2/32" in line and "--zone 2" in line]


def test_a_file_and_variables_are_read(there: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "proxy.yaml"
    file.write_text("kumaDPUser: nobody\nredirect: {inbound: {port: 77, excludePorts: [22]}}\n")

    shown = there.run(
        *("env", "KUMA_TRANSPARENT_PROXY_REDIRECT_OUTBOUND_PORT=88", sys.executable),
        *("-m", "kumactl", "install", "transparent-proxy", "--dry-run", "--config-file", str(file)),
    ).stdout

    assert "-A KUMA_MESH_INBOUND_REDIRECT" in shown
    assert "--dport 22 -j RETURN" in shown
    assert "-j REDIRECT --to-ports 77\n" in shown
    assert "-j REDIRECT --to-ports 88\n" in shown


def test_without_addresses_of_ipv6_it_is_left_out(tmp_path: Path) -> None:
    with namespace(tmp_path, ipv6=False) as there:
        shown = there.kumactl(*INSTALL, "--dry-run").stdout

    assert "### IPv4 ###" in shown
    assert "### IPv6 ###" not in shown


def _as_nobody(*argv: str) -> subprocess.CompletedProcess[str]:
    user = ("setpriv", "--reuid", "65534", "--clear-groups") if os.geteuid() == 0 else ()
    readable = [*user, "test", "-r", str(DAEMON / "kumactl" / "cli.py")]
    if subprocess.run(readable, check=False).returncode:
        pytest.skip("this checkout is in a folder that only root can read")
    return subprocess.run(
        [*user, sys.executable, "-m", "kumactl", "--no-config", *argv],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(DAEMON), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("argv", [INSTALL, UNINSTALL])
def test_without_root_nothing_is_run_and_that_is_said(argv: tuple[str, ...]) -> None:
    refused = _as_nobody(*argv)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "Error: you need to have root privileges to run this command. Nothing was run and nothing"
        " was changed. Run it with sudo, or see with --dry-run what it would do\n"
    )


def test_without_root_a_dry_run_shows_what_it_would_do_and_what_it_cannot_see() -> None:
    shown = _as_nobody(*INSTALL, "--dry-run", "--redirect-inbound-port", "77")

    assert shown.returncode == 0
    assert "-A KUMA_MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 77\n" in shown.stdout
    assert "running this command as a non-root user may lead to unpredictable" in shown.stderr
