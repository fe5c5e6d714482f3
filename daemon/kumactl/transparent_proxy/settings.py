"""What a transparent proxy is asked to do: a table of settings, and where each may be given.

What a flag says goes before a variable, that before the file or text of `--config`, that before
the default. Names are the original's, so that its files and units go on to work.

Source: docs/wire/transparent-proxy.md#settings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kong_mesh_cp.core.formats.near_words import did_you_mean
from kumactl.errors import UsageError
from kumactl.transparent_proxy import values
from kumactl.transparent_proxy.values import Reader

VARIABLE_PREFIX: Final = "KUMA_TRANSPARENT_PROXY_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The answers, one field for each row."""

    user: str = ""  # of kuma-dp; "" looks for 5678 and `kuma-dp`
    inbound: bool = True
    inbound_port: int = 15006
    inbound_included_ports: tuple[int, ...] = ()
    inbound_excluded_ports: tuple[int, ...] = ()
    inbound_excluded_addresses: tuple[str, ...] = ()
    inbound_inserted: bool = False
    outbound: bool = True
    outbound_port: int = 15001
    outbound_included_ports: tuple[int, ...] = ()
    outbound_excluded_ports: tuple[int, ...] = ()
    outbound_excluded_uids: tuple[str, ...] = ()
    outbound_excluded_addresses: tuple[str, ...] = ()
    outbound_inserted: bool = False
    dns: bool = False
    dns_all: bool = False
    dns_port: int = 15053
    dns_no_zones: bool = False
    resolv_conf: str = "/etc/resolv.conf"
    networks: tuple[tuple[str, str], ...] = ()  # name of the interface, its network
    drop_invalid: bool = False
    logs: bool = False
    log_level: int = 7
    wait_seconds: int = 5
    wait_interval_microseconds: int = 0
    retries: int = 4
    retry_nanoseconds: int = 2_000_000_000
    firewalld: bool = False
    executables: Mapping[str, str] = field(default_factory=dict)
    no_comments: bool = False
    family_mode: str = "dualstack"
    verbose: bool = False
    dry_run: bool = False
    ebpf: bool = False
    cni: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its field, its place in YAML, how it is read, its flag ("" for none)."""

    field: str
    path: str
    reader: Reader
    flag: str = ""
    help: str = ""
    variable: str = ""  # behind the prefix, where it does not follow from the path

    @property
    def variable_name(self) -> str:
        if self.variable:
            return VARIABLE_PREFIX + self.variable
        words = "".join(f"_{c}" if c.isupper() else c for c in self.path.replace(".", "_"))
        return VARIABLE_PREFIX + words.upper()


_IN, _OUT, _DNS = "redirect.inbound", "redirect.outbound", "redirect.dns"
_PORTS_HELP: Final = "not through the proxy"
ROWS: Final = (
    Row(
        *("user", "kumaDPUser", values.text, "--kuma-dp-user"),
        *("name or id of the user that kuma-dp runs as; default 5678 or kuma-dp", "KUMA_DP_USER"),
    ),
    Row("inbound", f"{_IN}.enabled", values.switch, "--redirect-inbound", "default true"),
    Row("inbound_port", f"{_IN}.port", values.port, "--redirect-inbound-port", "default 15006"),
    Row("inbound_included_ports", f"{_IN}.includePorts", values.ports),
    Row(
        *("inbound_excluded_ports", f"{_IN}.excludePorts", values.ports),
        *("--exclude-inbound-ports", _PORTS_HELP),
    ),
    Row(
        *("inbound_excluded_addresses", f"{_IN}.excludePortsForIPs", values.addresses),
        *("--exclude-inbound-ips", "not from these addresses; may be repeated"),
        f"{_IN}.EXCLUDE_PORTS_FOR_IPS".upper().replace(".", "_"),
    ),
    Row(
        *("inbound_inserted", f"{_IN}.insertRedirectInsteadOfAppend", values.switch),
        *("--redirect-inbound-insert-instead-of-append", "before the rules that are there"),
    ),
    Row("outbound", f"{_OUT}.enabled", values.switch),
    Row("outbound_port", f"{_OUT}.port", values.port, "--redirect-outbound-port", "default 15001"),
    Row("outbound_included_ports", f"{_OUT}.includePorts", values.ports),
    Row(
        *("outbound_excluded_ports", f"{_OUT}.excludePorts", values.ports),
        *("--exclude-outbound-ports", _PORTS_HELP),
    ),
    Row(
        *("outbound_excluded_uids", f"{_OUT}.excludePortsForUIDs", values.uid_exclusions),
        *("--exclude-outbound-ports-for-uids", "[PROTOCOL:][PORTS:]UIDS; may be repeated"),
        f"{_OUT}.EXCLUDE_PORTS_FOR_UIDS".upper().replace(".", "_"),
    ),
    Row(
        *("outbound_excluded_addresses", f"{_OUT}.excludePortsForIPs", values.addresses),
        *("--exclude-outbound-ips", "not to these addresses; may be repeated"),
        f"{_OUT}.EXCLUDE_PORTS_FOR_IPS".upper().replace(".", "_"),
    ),
    Row(
        *("outbound_inserted", f"{_OUT}.insertRedirectInsteadOfAppend", values.switch),
        *("--redirect-outbound-insert-instead-of-append", "before the rules that are there"),
    ),
    Row("dns", f"{_DNS}.enabled", values.switch, "--redirect-dns", "to servers of resolv.conf"),
    Row(
        *("dns_all", f"{_DNS}.captureAll", values.switch),
        *("--redirect-all-dns-traffic", "to any server"),
    ),
    Row("dns_port", f"{_DNS}.port", values.port, "--redirect-dns-port", "default 15053"),
    Row(
        *("dns_no_zones", f"{_DNS}.skipConntrackZoneSplit", values.switch),
        *("--skip-dns-conntrack-zone-split", "no zones of connection tracking for DNS"),
    ),
    Row("resolv_conf", f"{_DNS}.resolvConfigPath", values.text),
    Row(
        *("networks", "redirect.vnet.networks", values.networks, "--vnet"),
        "INTERFACE:CIDR of a virtual network, such as docker0:172.17.0.0/16; may be repeated",
    ),
    Row(
        *("drop_invalid", "dropInvalidPackets", values.switch, "--drop-invalid-packets"),
        "drop packets that are of no connection",
    ),
    Row("logs", "log.enabled", values.switch, "--iptables-logs", "into the log of the kernel"),
    Row("log_level", "log.level", values.level),
    Row("wait_seconds", "wait", values.count, "--wait", "for the lock of iptables; default 5"),
    Row(
        *("wait_interval_microseconds", "waitInterval", values.count),
        *("--wait-interval", "between looks at that lock"),
    ),
    Row("retries", "retry.maxRetries", values.count, "--max-retries", "default 4"),
    Row(
        *("retry_nanoseconds", "retry.sleepBetweenRetries", values.nanoseconds),
        *("--sleep-between-retries", "default 2s"),
    ),
    Row("firewalld", "storeFirewalld", values.switch, "--store-firewalld", "keep them, too"),
    Row(
        *("executables", "iptablesExecutables", values.executables, "--iptables-executables"),
        "NAME:PATH[,NAME:PATH…], all three of a family",
    ),
    Row("no_comments", "comments.disabled", values.switch, "--disable-comments", "no comments"),
    Row(
        *("family_mode", "ipFamilyMode", values.family_mode, "--ip-family-mode"),
        *("dualstack or ipv4; default dualstack", "IP_FAMILY_MODE"),
    ),
    Row("verbose", "verbose", values.switch, "--verbose", "long names of options in rules"),
    Row("dry_run", "dryRun", values.switch, "--dry-run", "print what would be done, do nothing"),
    Row("ebpf", "ebpf.enabled", values.switch, "--ebpf-enabled", "refused: iptables only"),
    Row("cni", "cniMode", values.switch, variable="CNI_MODE"),
)
BY_FIELD: Final = {row.field: row for row in ROWS}
# Settings of the original that mean nothing without eBPF.
EBPF_FLAGS: Final = (
    *("--ebpf-bpffs-path", "--ebpf-cgroup-path", "--ebpf-instance-ip"),
    *("--ebpf-programs-source-path", "--ebpf-tc-attach-iface"),
)
_EBPF_PATHS: Final = frozenset(
    f"ebpf.{name}"
    for name in (
        *("instanceIP", "instanceIPEnvVarName", "bpffsPath", "cgroupPath"),
        *("programsSourcePath", "tcAttachIface"),
    )
)
# An object in YAML that is a value, not a place for others.
_OBJECTS: Final = frozenset({BY_FIELD["executables"].path})


def gathered(
    document: Mapping[str, object], environment: Mapping[str, str], flags: Mapping[str, object]
) -> Settings:
    """The settings of a YAML document, the environment and the flags given (by field).

    Raises: UsageError, which names the member, the variable or the flag.
    """
    found: dict[str, Any] = {}
    for path, value in _members(document):
        row = _row_of_path(path)
        if row is not None:
            found[row.field] = _read(row, value, path)
    for row in ROWS:
        if given := environment.get(row.variable_name, ""):
            found[row.field] = _read(row, given, row.variable_name)
    for name, value in flags.items():
        row = BY_FIELD[name]
        shown = f' "{value}"' if isinstance(value, str) else ""
        found[name] = _read(row, value, f'invalid argument{shown} for "{row.flag}" flag')
    if "executables" in flags and "executables" in found:
        below = _below(document, environment)
        found["executables"] = {**below, **found["executables"]}
    return Settings(**found)


def _below(document: Mapping[str, object], environment: Mapping[str, str]) -> dict[str, str]:
    """The programs that are named in another place than flags: they are joined, not replaced."""
    settings = gathered(document, environment, {})
    return dict(settings.executables)


def _members(document: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and path not in _OBJECTS:
            yield from _members(value, f"{path}.")
        elif value is not None:
            yield path, value


def _row_of_path(path: str) -> Row | None:
    known = {row.path: row for row in ROWS}
    if path in _EBPF_PATHS:
        return None
    # As Go reads members: in any case.
    by_folded = {each.casefold(): row for each, row in known.items()}
    row = by_folded.get(path.casefold())
    if row is None:
        hint = did_you_mean(path, known)
        raise UsageError(f"the configuration of the proxy has no member {path}{hint}")
    return row


def _read(row: Row, value: object, place: str) -> object:
    try:
        return row.reader(value)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None
