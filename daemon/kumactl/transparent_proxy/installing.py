"""Puts the rules of a transparent proxy in force, takes them out, or says what that would be.

An install first takes out what an earlier one has left, in the same step for each table, so that
it may be repeated and traffic is at no time without rules.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kong_mesh_cp.core.formats.durations import SECOND
from kumactl.console import Console
from kumactl.errors import KumactlError
from kumactl.transparent_proxy import cleanup, exclusions, firewalld, machine, programs
from kumactl.transparent_proxy.programs import NO_ABILITIES, Abilities, Programs
from kumactl.transparent_proxy.restore_text import restore_text, rule_lines
from kumactl.transparent_proxy.rules import Family, tables
from kumactl.transparent_proxy.settings import Settings
from kumactl.transparent_proxy.values import is_ipv6

_PREFIXES: Final = {False: "iptables", True: "ip6tables"}
_NAMES: Final = {False: "IPv4", True: "IPv6"}
_KINDS: Final = (programs.NFT, programs.LEGACY)
# What tells apart, over IPv6, what Envoy passes on to programs on this machine.
_PASSTHROUGH: Final = "::6/128"
_SECONDS_MAX: Final = 30.0  # for one run of `ip`


@dataclass(frozen=True, slots=True)
class Target:
    """One family of addresses and the programs for it; None where a dry run has none."""

    family: Family
    programs: Programs | None
    others: tuple[Programs, ...]  # of the other kind, which an earlier install may have used

    @property
    def text(self) -> str:
        settings = self.family.settings
        return restore_text(
            tables(self.family), comments=self.family.comments, verbose=settings.verbose
        )


def install(settings: Settings, console: Console) -> None:
    """Raises: KumactlError; UsageError."""
    targets = _targets(settings, console)
    if settings.dry_run:
        console.document("\n\n".join(_shown(each) for each in targets) + "\n")
        if settings.firewalld:
            console.document(f"\n{_direct_xml('', targets)}")
        return
    if any(each.family.ipv6 for each in targets):
        _passthrough_address("add")
    prepared = [(each, _replacement(each), _removals(each)) for each in targets]
    for target, text, _ in prepared:
        _programs_of(target).test(text)
    for target, text, others in prepared:
        for other, removal in others:
            other.apply(removal, _wait(settings, other))
        _restore(target, text, console)
    if settings.firewalld:
        path = firewalld.DIRECT_FILE
        firewalld.write(path, _direct_xml(firewalld.read(path), targets))
        console.line(f"# iptables saved with firewalld, in {path}")
    console.line(
        "# transparent proxy setup completed successfully. You can now run kuma-dp with the"
        " transparent-proxy feature enabled"
    )


def uninstall(settings: Settings, console: Console) -> None:
    """Raises: KumactlError."""
    done = False
    for ipv6 in (False, True):
        for each in _found(ipv6=ipv6):
            text = cleanup.removal_text(cleanup.found_in(each.saved()))
            if text and settings.dry_run:
                console.document(f"### {_NAMES[ipv6]} ({each.kind}) ###\n\n{text}\n")
            elif text:
                each.apply(text, _wait(settings, each))
            done = done or bool(text)
    existing = firewalld.read(firewalld.DIRECT_FILE)
    if firewalld.has_ours(existing):
        done = True
        if settings.dry_run:
            console.document(f"### {firewalld.DIRECT_FILE} ###\n\n")
            console.document(firewalld.direct_xml(existing, ()))
        else:
            firewalld.write(firewalld.DIRECT_FILE, firewalld.direct_xml(existing, ()))
    if not done:
        console.line("# no transparent proxy rules detected. No cleanup necessary")
    if not settings.dry_run:
        _passthrough_address("del", check=False)
        console.line("# transparent proxy cleanup completed successfully")


def require_root(*, dry_run: bool, console: Console, effective_uid: Callable[[], int]) -> None:
    """Raises: KumactlError without root's rights, unless nothing is to be done."""
    if effective_uid() == 0:
        return
    if not dry_run:
        raise KumactlError(
            "you need to have root privileges to run this command. Nothing was run and nothing was"
            " changed. Run it with sudo, or see with --dry-run what it would do"
        )
    console.note(
        "# [WARNING] [dry-run]: running this command as a non-root user may lead to unpredictable"
        " results: what iptables can do here is for root to see"
    )


def _targets(settings: Settings, console: Console) -> list[Target]:
    uid = machine.user_id(settings.user)
    loopback = machine.loopback_interface()
    targets = [_target(settings, uid, loopback, console, ipv6=False)]
    if settings.family_mode == "ipv4" or not machine.has_ipv6():
        return targets
    try:
        targets.append(_target(settings, uid, loopback, console, ipv6=True))
    except KumactlError as error:
        console.note(
            f"# [WARNING] IPv6 is left out, and is not redirected: {error.message}. Where that is"
            " meant: --ip-family-mode ipv4"
        )
    return targets


def _target(settings: Settings, uid: str, loopback: str, console: Console, *, ipv6: bool) -> Target:
    there = _given_or_found(settings, console, ipv6=ipv6)
    meant = programs.chosen(there)
    if programs.are_in_conflict(there) and meant is not None:
        console.note(
            f"# [WARNING] [{_PREFIXES[ipv6]}] conflicting iptables modes detected; both"
            " iptables-nft and iptables-legacy have existing rules and/or custom chains, and all"
            f" of them hold. The proxy's go to {meant.kind}"
        )
    if meant is None and not (settings.dry_run and not ipv6):
        raise _unusable(there, ipv6=ipv6)
    if meant is None:
        console.note(
            "# [WARNING] [dry-run]: no valid iptables executables found; the generated iptables"
            " rules may differ from those generated in an environment with valid iptables"
            " executables"
        )
    others = tuple(each for each in there if each is not None and each is not meant)
    family = _family(settings, uid, loopback, meant, console, ipv6=ipv6)
    return Target(family, meant, others)


def _unusable(there: Sequence[Programs | None], *, ipv6: bool) -> KumactlError:
    prefix = _PREFIXES[ipv6]
    lacking = [
        f"{each.iptables}: no {', no '.join(each.abilities.missing)}" for each in there if each
    ]
    if lacking:
        return KumactlError(
            f"{prefix} lacks what a transparent proxy needs: {'; '.join(lacking)}. Are the modules"
            " of the kernel there (nf_nat, xt_owner), and is this run as root of this machine?"
        )
    return KumactlError(
        f"failed to find valid nft or legacy executables of {prefix}. On Debian: apt-get install"
        " iptables; or name them with --iptables-executables"
    )


def _given_or_found(settings: Settings, console: Console, *, ipv6: bool) -> list[Programs | None]:
    prefix = _PREFIXES[ipv6]
    names = [f"{prefix}{suffix}" for suffix in ("", "-save", "-restore")]
    paths = [settings.executables.get(name, "") for name in names]
    if all(paths):
        return [programs.given(*paths)]
    if any(paths):
        console.note(
            f"# [WARNING] provided incomplete executables configuration: {', '.join(names)} must"
            " all be specified together; what was given is ignored"
        )
    return list(_by_kind(ipv6=ipv6))


def _by_kind(*, ipv6: bool) -> Iterator[Programs | None]:
    yield from (programs.found(_PREFIXES[ipv6], kind) for kind in _KINDS)


def _found(*, ipv6: bool) -> Iterator[Programs]:
    yield from (each for each in _by_kind(ipv6=ipv6) if each and "nat" in each.abilities.tables)


def _family(
    settings: Settings,
    uid: str,
    loopback: str,
    meant: Programs | None,
    console: Console,
    *,
    ipv6: bool,
) -> Family:
    able = meant.abilities if meant else NO_ABILITIES
    servers = _servers(settings, console, ipv6=ipv6)
    dns = settings.dns_all or bool(servers)
    return Family(
        ipv6=ipv6,
        settings=settings,
        uid=uid,
        loopback=loopback,
        dns=dns,
        dns_servers=servers,
        zones=dns and _splits_zones(settings, able, console, ipv6=ipv6),
        docker_output=able.docker_output,
        drop_invalid=settings.drop_invalid and "mangle" in able.tables,
        comments=not settings.no_comments and "comment" in able.extensions,
        inbound_addresses=machine.of_family(settings.inbound_excluded_addresses, ipv6=ipv6),
        outbound_addresses=machine.of_family(settings.outbound_excluded_addresses, ipv6=ipv6),
        outbound_uids=exclusions.by_uid(settings.outbound_excluded_uids),
        networks=tuple(each for each in settings.networks if is_ipv6(each[1]) is ipv6),
    )


def _servers(settings: Settings, console: Console, *, ipv6: bool) -> tuple[str, ...]:
    if settings.dns_all or not settings.dns:
        return ()
    servers = machine.of_family(machine.dns_servers(settings.resolv_conf), ipv6=ipv6)
    if not servers:
        name = _NAMES[ipv6]
        console.note(
            f"# [WARNING] [{_PREFIXES[ipv6]}] no {name} DNS servers found in"
            f" {settings.resolv_conf}. DNS traffic capture for {name} will be disabled"
        )
    return servers


def _splits_zones(settings: Settings, able: Abilities, console: Console, *, ipv6: bool) -> bool:
    if settings.dns_no_zones:
        return False
    if not able.can_split_zones:
        reason = (
            "conntrack zone splitting is disabled. This requires the 'conntrack' iptables module"
        )
    elif able.docker_output and settings.dns_all:
        reason = (
            "conntrack zone splitting is unsupported when capturing all DNS traffic inside Docker"
            " containers with custom networks"
        )
    else:
        return True
    console.note(f"# [WARNING] [{_PREFIXES[ipv6]}] {reason}")
    return False


def _shown(target: Target) -> str:
    return f"### {_NAMES[target.family.ipv6]} ###\n\n{target.text.strip()}"


def _direct_xml(existing: str, targets: Sequence[Target]) -> str:
    families = []
    for each in targets:
        family = each.family
        verbose = family.settings.verbose
        lines = [
            (table, list(rule_lines(table, comments=family.comments, verbose=verbose)))
            for table in tables(family)
        ]
        families.append(("ipv6" if family.ipv6 else "ipv4", lines))
    return firewalld.direct_xml(existing, families)


def _programs_of(target: Target) -> Programs:
    if target.programs is None:
        raise KumactlError("there are no programs of iptables")  # only a dry run goes without
    return target.programs


def _replacement(target: Target) -> str:
    """The rules, and before them the removal of those of an earlier install."""
    return cleanup.replacement_text(cleanup.found_in(_programs_of(target).saved()), target.text)


def _removals(target: Target) -> list[tuple[Programs, str]]:
    """What an earlier install has left in rules of the other kind."""
    left = [
        (each, cleanup.removal_text(cleanup.found_in(each.saved())))
        for each in target.others
        if "nat" in each.abilities.tables
    ]
    return [(each, text) for each, text in left if text]


def _restore(target: Target, text: str, console: Console) -> None:
    used, settings = _programs_of(target), target.family.settings
    for attempt in range(settings.retries + 1):
        try:
            used.apply(text, _wait(settings, used))
        except KumactlError as error:
            tries = f"[{attempt + 1}/{settings.retries + 1}]"
            console.note(f"# [{_NAMES[target.family.ipv6]}] {tries} {error.message}")
            if attempt == settings.retries:
                raise
            time.sleep(settings.retry_nanoseconds / SECOND)
        else:
            return


def _wait(settings: Settings, used: Programs) -> list[str]:
    """How long to wait for the lock, which only the older kind has."""
    if used.kind != programs.LEGACY:
        return []
    given = (
        ("--wait", settings.wait_seconds),
        ("--wait-interval", settings.wait_interval_microseconds),
    )
    return [f"{flag}={value}" for flag, value in given if value]


def _passthrough_address(action: str, *, check: bool = True) -> None:
    """Add ::6 to the loopback interface, or take it away."""
    argv = ["ip", "-6", "addr", "replace" if action == "add" else action, _PASSTHROUGH, "dev", "lo"]
    try:
        run = subprocess.run(
            argv, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if check:
            raise KumactlError(
                f"{' '.join(argv)} does not run: {error}. On Debian: apt-get install iproute2; or"
                " leave IPv6 out: --ip-family-mode ipv4"
            ) from None
        return
    if check and run.returncode:
        raise KumactlError(
            f"{' '.join(argv)} failed: {run.stderr.strip()}. To leave IPv6 out: --ip-family-mode"
            " ipv4"
        )


def effective_uid() -> int:
    """Of this process."""
    return os.geteuid()
