"""`kumactl install` and `uninstall` as commands: what is refused before anything is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.kumactl_runs import User

INSTALL = "install transparent-proxy"


@pytest.mark.parametrize(
    "argv",
    [
        "install control-plane",
        "install crds",
        "install demo",
        "install observability",
        "uninstall ebpf",
    ],
)
@pytest.mark.parametrize("more", ["", "--mode zone --set a=b", "NAME -x"])
def test_what_is_for_kubernetes_says_so(argv: str, more: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run(*argv.split(), *more.split())

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"Error: kumactl {argv}: that is for Kubernetes, and this product")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (f"{INSTALL} --dry-run --ebpf-enabled", "eBPF is not a part of this kumactl"),
        (f"{INSTALL} --ebpf-enabled=true --ebpf-instance-ip 1.2.3.4", "eBPF is not a part"),
        ("uninstall transparent-proxy --ebpf-enabled", "eBPF is not a part of this kumactl"),
        (f'{INSTALL} --config {{"cniMode":true}}', "cniMode is for Kubernetes"),
        (f'{INSTALL} --config {{"cniMood":true}}', 'no member cniMood; did you mean "cniMode"?'),
        (f"{INSTALL} --dry-run --config -", "use '--config-file -'"),
        (f"{INSTALL} --dry-run --config [1]", "the value of --config is not one YAML or JSON"),
        (f"{INSTALL} --dry-run --config-file /nonexistent", "unable to access configuration file"),
        (
            f"{INSTALL} --dry-run --redirect-dns --redirect-all-dns-traffic",
            "only one of '--redirect-dns' or '--redirect-all-dns-traffic' should be specified",
        ),
        (
            f"{INSTALL} --dry-run --redirect-inbound-port x",
            'invalid argument "x" for "--redirect-inbound-port" flag: value \'x\' is not a valid',
        ),
        (f"{INSTALL} --redirect-inbond=false", 'did you mean "--redirect-inbound"?'),
        (f"{INSTALL}-validator --validation-server-port 0", "value '0' is not a valid port"),
        (f"{INSTALL}-validator --ip-family-mode ipv6", "must be one of 'dualstack' or 'ipv4'"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(argv: str, said: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run(*argv.split())

    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err


def test_settings_may_come_from_standard_input(tmp_path: Path) -> None:
    ran = User(tmp_path).run(*INSTALL.split(), "--config-file", "-", stdin=b"redirect: {port: 1}")

    assert ran.status == 2
    assert "the configuration of the proxy has no member redirect.port" in ran.err


def test_the_configuration_of_kumactl_may_still_be_named_before_the_command(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    argv = ("--config-file", str(config), *INSTALL.split(), "--dry-run", "--config-file", "/no")

    assert "unable to access configuration file '/no'" in User(tmp_path).run(*argv).err
