"""The programs of iptables on this machine: where they are, what they can do, and running them.

There are two kinds, with rules of their own: `nft` keeps them in nf_tables, `legacy` in the older
tables. The kind that has rules already is meant, so that ours come where the others are.

Source: docs/wire/transparent-proxy.md#programs
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kumactl.errors import KumactlError
from kumactl.transparent_proxy.rules import DOCKER_OUTPUT

SECONDS_MAX: Final = 120.0  # for one run; the lock is waited for by --wait
_FOLDERS: Final = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_VERSION: Final = re.compile(
    r"^ip6?tables[\w-]*? v[0-9]+(?:\.[0-9]+)+(?: \((?P<kind>.*?)\))?", re.MULTILINE
)
_KINDS: Final = {None: "legacy", "legacy": "legacy", "nf_tables": "nft"}
NFT, LEGACY = "nft", "legacy"
# The chains that are there without any rule.
_BUILT_IN_CHAINS: Final = {"nat": 4, "raw": 2, "mangle": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the kernel and iptables have here: tables, extensions, rules of others."""

    tables: frozenset[str]
    extensions: frozenset[str]
    docker_output: bool
    has_rules: bool

    @property
    def missing(self) -> list[str]:
        """What no transparent proxy goes without."""
        return [
            *(f"table {each}" for each in ("nat",) if each not in self.tables),
            *(f"extension {each}" for each in ("tcp", "owner") if each not in self.extensions),
        ]

    @property
    def can_split_zones(self) -> bool:
        extensions = {"conntrack", "udp", "owner"}
        return {"nat", "raw"} <= self.tables and extensions <= self.extensions


NO_ABILITIES: Final = Abilities(
    tables=frozenset(), extensions=frozenset(), docker_output=False, has_rules=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The three programs of one kind for one family of addresses."""

    kind: str
    iptables: str
    save: str
    restore: str
    abilities: Abilities = NO_ABILITIES

    def saved(self) -> str:
        """All rules, as iptables-save prints them. Raises: KumactlError."""
        return _output([self.save])

    def test(self, text: str) -> None:
        """Raises: KumactlError when `text` could not be restored."""
        _output([self.restore, "--noflush", "--test"], text)

    def apply(self, text: str, arguments: Sequence[str] = ()) -> None:
        """Restore `text` beside the rules that are there. Raises: KumactlError."""
        _output([self.restore, *arguments, "--noflush"], text)


def found(prefix: str, kind: str) -> Programs | None:
    """The programs of `kind` that are called `prefix` (`iptables`, `ip6tables`), if there are."""
    paths = [_path(prefix, suffix, kind) for suffix in ("", "-save", "-restore")]
    iptables, save, restore = paths
    if iptables is None or save is None or restore is None:
        return None
    return _able(kind, iptables, save, restore)


def given(iptables: str, save: str, restore: str) -> Programs:
    """The programs that a user has named. Raises: KumactlError when they are none."""
    paths = []
    for name in (iptables, save, restore):
        path = shutil.which(name)
        if path is None:
            raise KumactlError(f"specified path '{name}' does not exist, or is no program")
        paths.append(path)
    kinds = {_kind(path) for path in paths}
    kind = kinds.pop()
    if kinds or kind is None:
        raise KumactlError(f"{', '.join(paths)} are not three programs of one kind of iptables")
    return _able(kind, *paths)


def _able(kind: str, iptables: str, save: str, restore: str) -> Programs:
    return Programs(
        kind=kind,
        iptables=iptables,
        save=save,
        restore=restore,
        abilities=_abilities(iptables, save),
    )


def chosen(programs: Sequence[Programs | None]) -> Programs | None:
    """The kind that is meant, of those that are there and able: where the rules of others are."""
    able = {each.kind: each for each in programs if each and not each.abilities.missing}
    nft, legacy = able.get(NFT), able.get(LEGACY)
    if nft is None or legacy is None:
        return nft or legacy
    if legacy.abilities.has_rules and not nft.abilities.has_rules:
        return legacy
    if legacy.abilities.has_rules and legacy.abilities.docker_output:
        return nft if nft.abilities.docker_output else legacy
    return nft


def are_in_conflict(programs: Sequence[Programs | None]) -> bool:
    """Whether both kinds have rules, which then all hold at the same time."""
    return sum(1 for each in programs if each and each.abilities.has_rules) > 1


def _path(prefix: str, suffix: str, kind: str) -> str | None:
    for name in (f"{prefix}-{kind}{suffix}", f"{prefix}{suffix}"):
        for place in (name, *(f"{folder}/{name}" for folder in _FOLDERS)):
            path = shutil.which(place)
            if path is not None and _kind(path) == kind:
                return path
    return None


def _kind(path: str) -> str | None:
    """Raises nothing: what does not run is of no kind."""
    run = _run([path, "--version"])
    if run is None:
        return None
    if "unrecognized option '--version'" in run.stderr:
        return LEGACY  # up to 1.6.1
    match = _VERSION.search(run.stdout)
    return None if run.returncode or match is None else _KINDS.get(match["kind"])


def _abilities(iptables: str, save: str) -> Abilities:
    extensions = ("owner", "tcp", "udp", "comment", "conntrack", "multiport")
    saved = {table: _run([save, "-t", table]) for table in _BUILT_IN_CHAINS}
    texts = {table: run.stdout for table, run in saved.items() if run and run.returncode == 0}
    return Abilities(
        tables=frozenset(texts),
        extensions=frozenset(each for each in extensions if _has(iptables, each)),
        docker_output=f"\n:{DOCKER_OUTPUT} " in texts.get("nat", ""),
        has_rules=any(_lines(text) > _BUILT_IN_CHAINS[table] for table, text in texts.items()),
    )


def _has(iptables: str, extension: str) -> bool:
    run = _run([iptables, "-m", extension, "-h"])
    return run is not None and run.returncode == 0


def _lines(saved: str) -> int:
    lines = (line.strip() for line in saved.splitlines())
    return sum(1 for line in lines if line and not line.startswith(("#", "*", "COMMIT")))


def _output(argv: list[str], stdin: str = "") -> str:
    run = _run(argv, stdin)
    if run is None:
        raise KumactlError(f"{argv[0]} cannot be run, or does not end within {SECONDS_MAX:g} s")
    if run.returncode:
        said = ", ".join(line for line in run.stderr.splitlines() if line.strip())
        raise KumactlError(f"{' '.join(argv)} failed with status {run.returncode}: {said}")
    return run.stdout


def _run(argv: list[str], stdin: str = "") -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
