"""Rules as iptables-restore reads them, with short or long names of options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from kumactl.transparent_proxy.rules import Rule, Table

# By what stands in it, rules of ours are found again, also by the original.
COMMENT_PREFIX: Final = "kuma/mesh/transparent/proxy"
_LONG: Final = {
    "-A": "--append",
    "-I": "--insert",
    "-N": "--new-chain",
    "-m": "--match",
    "-p": "--protocol",
    "-s": "--source",
    "-d": "--destination",
    "-j": "--jump",
    "-i": "--in-interface",
    "-o": "--out-interface",
    "--dport": "--destination-port",
    "--sport": "--source-port",
}


def restore_text(tables: Iterable[Table], *, comments: bool, verbose: bool) -> str:
    """All tables, each with its COMMIT; ends in a newline."""
    gap = "\n\n" if verbose else "\n"
    return gap.join(gap.join(_sections(each, comments, verbose)) for each in tables) + "\n"


def rule_lines(table: Table, *, comments: bool, verbose: bool) -> Iterator[str]:
    """`-A CHAIN …` and `-I CHAIN POSITION …`, in the order of the rules."""
    positions: Counter[str] = Counter()
    for rule in table.rules:
        if rule.inserted:
            positions[rule.chain] += 1
        place = ("-I", rule.chain, str(positions[rule.chain])) if rule.inserted else ()
        words = [*(place or ("-A", rule.chain)), *_words(rule, comments=comments)]
        yield " ".join(_spelt(word, verbose) for word in words)


def _words(rule: Rule, *, comments: bool) -> Iterator[str]:
    if comments:
        yield from ("-m", "comment", "--comment", f'"{COMMENT_PREFIX}/{rule.comment}"')
    yield from rule.words


def _sections(table: Table, comments: bool, verbose: bool) -> Iterator[str]:  # noqa: FBT001
    yield f"* {table.name}"
    made = [f"{_spelt('-N', verbose)} {chain}" for chain in table.chains]
    if made:
        yield "\n".join(["# Custom Chains:", *made] if verbose else made)
    lines = list(rule_lines(table, comments=comments, verbose=verbose))
    yield "\n".join(["# Rules:", *lines] if verbose else lines)
    yield "COMMIT"


def _spelt(word: str, verbose: bool) -> str:  # noqa: FBT001
    return _LONG.get(word, word) if verbose else word
