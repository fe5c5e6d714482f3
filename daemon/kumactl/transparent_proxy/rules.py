"""The rules of a transparent proxy for one family of addresses. Pure: nothing is asked or run.

Inbound: PREROUTING sends new TCP connections to KUMA_MESH_INBOUND, which leaves alone what is
excluded and sends the rest to the proxy. Outbound: OUTPUT sends them to KUMA_MESH_OUTBOUND, which
knows by its user what comes from the proxy itself. DNS is sent on before that.

Source: docs/wire/transparent-proxy.md#rules
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kumactl.transparent_proxy.exclusions import UidExclusion
from kumactl.transparent_proxy.settings import Settings

CHAIN_PREFIX: Final = "KUMA_MESH"
INBOUND: Final = f"{CHAIN_PREFIX}_INBOUND"
OUTBOUND: Final = f"{CHAIN_PREFIX}_OUTBOUND"
INBOUND_REDIRECT: Final = f"{CHAIN_PREFIX}_INBOUND_REDIRECT"
OUTBOUND_REDIRECT: Final = f"{CHAIN_PREFIX}_OUTBOUND_REDIRECT"
DOCKER_OUTPUT: Final = "DOCKER_OUTPUT"
DNS_PORT: Final = 53
# Zones of connection tracking: between the proxy and a DNS server, between programs and the proxy.
_UPSTREAM_ZONE, _LOCAL_ZONE = 1, 2
_LOCALHOST: Final = {False: "127.0.0.1/32", True: "::1/128"}
# The address from which Envoy passes on what came in and is for no listener.
_PASSTHROUGH: Final = {False: "127.0.0.6/32", True: "::6/128"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is known of one family of addresses on this machine."""

    ipv6: bool
    settings: Settings
    uid: str  # of the proxy's user
    loopback: str  # the name of that interface
    dns: bool = False  # whether there is anything of DNS to redirect
    dns_servers: tuple[str, ...] = ()  # unless all of it is
    zones: bool = False  # whether connection tracking is split for DNS
    docker_output: bool = False  # whether Docker answers DNS in this network namespace
    drop_invalid: bool = False
    comments: bool = True
    inbound_addresses: tuple[str, ...] = ()
    outbound_addresses: tuple[str, ...] = ()
    outbound_uids: tuple[UidExclusion, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()  # by name of the interface


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `words` in iptables' short form. `inserted`: at the front, not at the end."""

    chain: str
    words: tuple[str, ...]
    comment: str
    inserted: bool = False


@dataclass(slots=True)
class Table:
    """A table of iptables: the chains that are made in it, and rules in the order of chains."""

    name: str
    chains: tuple[str, ...] = ()
    rules: list[Rule] = field(default_factory=list)

    def add(self, chain: str, words: str, comment: str, *, inserted: bool = False) -> None:
        """`words` separated by blanks: no name or address has one."""
        self.rules.append(Rule(chain, tuple(words.split()), comment, inserted))


def tables(family: Family) -> list[Table]:
    """The tables that have rules, in the order in which they are restored."""
    return [table for table in (_raw(family), _nat(family), _mangle(family)) if table.rules]


def _raw(family: Family) -> Table:
    raw = Table("raw")
    if not family.zones:
        return raw
    upstream, local = f"-j CT --zone {_UPSTREAM_ZONE}", f"-j CT --zone {_LOCAL_ZONE}"
    servers = [] if family.settings.dns_all else [*family.dns_servers]
    for source in (f"-s {server}" for server in servers):
        raw.add("PREROUTING", f"{source} -p udp --sport {DNS_PORT} {upstream}", "answers of DNS")
    if family.settings.dns_all:
        raw.add("PREROUTING", f"-p udp --sport {DNS_PORT} {upstream}", "answers of DNS")
    owner = f"-m owner --uid-owner {family.uid}"
    raw.add("OUTPUT", f"-p udp --dport {DNS_PORT} {owner} {upstream}", "DNS of the proxy itself")
    sent = f"-p udp --sport {family.settings.dns_port} {owner} {local}"
    raw.add("OUTPUT", sent, "answers of the proxy to DNS")
    if family.settings.dns_all:
        raw.add("OUTPUT", f"-p udp --dport {DNS_PORT} {local}", "questions of DNS")
    for server in servers:
        asked = f"-d {server} -p udp --dport {DNS_PORT} {local}"
        raw.add("OUTPUT", asked, "questions of DNS")
        if server.startswith("127.") or server == "::1":
            # A server in a container's network answers from another port than it was asked at.
            answered = f"-s {server} -d {_LOCALHOST[family.ipv6]} -p udp {upstream}"
            raw.add("OUTPUT", answered, "answers of a DNS server on this machine")
    return raw


def _mangle(family: Family) -> Table:
    mangle = Table("mangle")
    if family.drop_invalid:
        words = "-m conntrack --ctstate INVALID -j DROP"
        mangle.add("PREROUTING", words, "packets of no connection")
    return mangle


def _nat(family: Family) -> Table:
    nat = Table("nat", (INBOUND, OUTBOUND, INBOUND_REDIRECT, OUTBOUND_REDIRECT))
    settings = family.settings
    _add_prerouting(nat, family)
    _add_output(nat, family)
    _add_inbound(nat, family)
    _add_outbound(nat, family)
    for chain, port in (
        (INBOUND_REDIRECT, settings.inbound_port),
        (OUTBOUND_REDIRECT, settings.outbound_port),
    ):
        nat.add(chain, f"-p tcp -j REDIRECT --to-ports {port}", f"to the proxy at port {port}")
    return nat


def _add_prerouting(nat: Table, family: Family) -> None:
    settings, chain = family.settings, "PREROUTING"
    if settings.logs:
        nat.add(chain, _logged(chain, settings.log_level), "into the log of the kernel")
    if not family.networks and not settings.inbound_inserted:
        nat.add(chain, f"-p tcp -j {INBOUND}", "inbound TCP")
        return
    for name, network in sorted(family.networks):
        asked = f"-i {name} -m udp -p udp --dport {DNS_PORT}"
        to_dns = f"-j REDIRECT --to-ports {settings.dns_port}"
        nat.add(chain, f"{asked} {to_dns}", f"DNS from {name}", inserted=True)
        to_proxy = f"-j REDIRECT --to-ports {settings.outbound_port}"
        words = f"! -d {network} -i {name} -p tcp {to_proxy}"
        nat.add(chain, words, f"TCP from {name} to other networks", inserted=True)
    nat.add(chain, f"-p tcp -j {INBOUND}", "inbound TCP", inserted=True)


def _add_output(nat: Table, family: Family) -> None:
    settings, chain = family.settings, "OUTPUT"
    if settings.logs:
        words = _logged(chain, settings.log_level)
        nat.add(chain, words, "into the log of the kernel", inserted=True)
    for words in _left_alone(family):
        nat.add(chain, f"{words} -j RETURN", "left alone on request", inserted=True)
    if family.dns:
        target = DOCKER_OUTPUT if family.docker_output else "RETURN"
        owned = f"-p udp --dport {DNS_PORT} -m owner --uid-owner {family.uid} -j {target}"
        nat.add(chain, owned, "DNS of the proxy itself", inserted=True)
        for asked in _questions(family, "udp"):
            to_dns = f"{asked} -j REDIRECT --to-ports {settings.dns_port}"
            nat.add(chain, to_dns, "DNS to the proxy", inserted=True)
    nat.add(chain, f"-p tcp -j {OUTBOUND}", "outbound TCP", inserted=settings.outbound_inserted)


def _left_alone(family: Family) -> Iterator[str]:
    for each in family.outbound_uids:
        port = f"--dport {each.ports}"
        yield f"-m multiport -p {each.protocol} {port} -m owner --uid-owner {each.uids}"
    yield from (f"-d {address}" for address in family.outbound_addresses)


def _questions(family: Family, protocol: str) -> Iterator[str]:
    """Matches of DNS over `protocol` that is not the proxy's own."""
    asked = f"-p {protocol} --dport {DNS_PORT}"
    if family.settings.dns_all:
        yield asked
    else:
        yield from (f"-d {server} {asked}" for server in family.dns_servers)


def _add_inbound(nat: Table, family: Family) -> None:
    settings, chain = family.settings, INBOUND
    if not settings.inbound:
        nat.add(chain, "-p tcp -j RETURN", "inbound traffic is not redirected")
        return
    for address in family.inbound_addresses:
        nat.add(chain, f"-s {address} -j RETURN", "left alone on request")
    for port in settings.inbound_included_ports:
        words = f"-p tcp --dport {port} -j {INBOUND_REDIRECT}"
        nat.add(chain, words, f"inbound port {port}")
    if not settings.inbound_included_ports:
        _add_ports_left_alone(nat, chain, settings.inbound_excluded_ports)
        nat.add(chain, f"-p tcp -j {INBOUND_REDIRECT}", "all inbound TCP")


def _add_outbound(nat: Table, family: Family) -> None:
    settings, chain = family.settings, OUTBOUND
    if not settings.outbound:
        nat.add(chain, "-p tcp -j RETURN", "outbound traffic is not redirected")
        return
    included = settings.outbound_included_ports
    if not included:
        _add_ports_left_alone(nat, chain, settings.outbound_excluded_ports)
    no_dns = f"-p tcp ! --dport {DNS_PORT}" if family.dns else "-p tcp"
    owner, lo = f"--uid-owner {family.uid}", f"-o {family.loopback}"
    localhost = _LOCALHOST[family.ipv6]
    passed_on = f"-s {_PASSTHROUGH[family.ipv6]} {lo} -j RETURN"
    nat.add(chain, passed_on, "what the proxy passes on to programs here")
    to_itself = f"{no_dns} {lo} ! -d {localhost} -m owner {owner} -j {INBOUND_REDIRECT}"
    nat.add(chain, to_itself, "from the proxy to a service on this machine")
    nat.add(chain, f"{no_dns} {lo} -m owner ! {owner} -j RETURN", "programs here to each other")
    nat.add(chain, f"-m owner {owner} -j RETURN", "what the proxy itself sends out")
    if family.dns:
        for asked in _questions(family, "tcp"):
            words = f"{asked} -j REDIRECT --to-ports {settings.dns_port}"
            nat.add(chain, words, "DNS over TCP to the proxy")
    nat.add(chain, f"-d {localhost} -j RETURN", "what stays on this machine")
    for port in included:
        words = f"-p tcp --dport {port} -j {OUTBOUND_REDIRECT}"
        nat.add(chain, words, f"outbound port {port}")
    if not included:
        nat.add(chain, f"-j {OUTBOUND_REDIRECT}", "all other outbound traffic")


def _add_ports_left_alone(nat: Table, chain: str, ports: tuple[int, ...]) -> None:
    for port in ports:
        nat.add(chain, f"-p tcp --dport {port} -j RETURN", f"port {port} is left alone")


def _logged(chain: str, level: int) -> str:
    return f"-j LOG --log-prefix {chain}: --log-level {level}"
