"""Which of the rules that are there are a transparent proxy's, and the text that removes them.

Nothing else is touched: its chains are emptied and deleted, its rules in other chains deleted one
by one. The original writes all other rules anew instead.

Source: docs/wire/transparent-proxy.md#cleanup
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from kumactl.errors import KumactlError
from kumactl.transparent_proxy.restore_text import COMMENT_PREFIX
from kumactl.transparent_proxy.rules import CHAIN_PREFIX

_SECTION = re.compile(r"^\* ", re.MULTILINE)
_TABLES = frozenset({"raw", "nat", "mangle"})  # a proxy has rules in no other


@dataclass(slots=True)
class Found:
    """What is a proxy's in one table: its chains, and its rules in chains of others."""

    chains: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)  # `CHAIN …`, as iptables-save writes them
    commented: bool = False

    def removal(self) -> Iterator[str]:
        """Lines for iptables-restore: nothing that is deleted is still referred to."""
        yield from (f"-D {rule}" for rule in self.rules)
        yield from (f"-F {chain}" for chain in self.chains)
        yield from (f"-X {chain}" for chain in self.chains)


def found_in(saved: str) -> dict[str, Found]:
    """What is a proxy's, by table, in the output of iptables-save.

    Raises: KumactlError where chains are a proxy's, no comment says which rules are, and there are
    rules that may be.
    """
    tables: dict[str, Found] = {}
    table, doubtful = "", ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(f":{CHAIN_PREFIX}"):
            tables.setdefault(table, Found()).chains.append(line[1:].split()[0])
        elif line.startswith("-A ") and not _is_noted(tables, table, line.removeprefix("-A ")):
            doubtful = doubtful or (f"{line}, of table {table}" if table in _TABLES else "")
    if doubtful and tables and not any(each.commented for each in tables.values()):
        raise KumactlError(
            "transparent proxy rules detected, but expected comments are missing. Cleanup cannot"
            " proceed safely without comments to identify rules. Please remove the transparent"
            f" proxy iptables rules manually. Whose rule this is cannot be told: {doubtful}"
        )
    return tables


def _is_noted(tables: dict[str, Found], table: str, rule: str) -> bool:
    """Whether `rule` is a proxy's; then it has been added to `tables`."""
    try:
        words = shlex.split(rule)
    except ValueError:
        return False
    after = dict(pairwise(words))
    commented = after.get("--comment", "").startswith(COMMENT_PREFIX)
    target = after.get("-j", after.get("-g", ""))
    inside = words[0].startswith(CHAIN_PREFIX)
    if not commented and not inside and not target.startswith(CHAIN_PREFIX):
        return False
    found = tables.setdefault(table, Found())
    found.commented = found.commented or commented
    if not inside:  # its chains are emptied as a whole
        found.rules.append(rule)
    return True


def replacement_text(found: dict[str, Found], text: str) -> str:
    """`text`, of `restore_text`, that first removes what was `found`: one step for each table."""
    sections = {}
    for section in _SECTION.split(text)[1:]:
        name, _, rest = section.partition("\n")
        sections[name] = rest
    for name in found:
        sections.setdefault(name, "COMMIT\n")
    return "".join(
        "\n".join([f"* {name}", *(found[name].removal() if name in found else ()), rest])
        for name, rest in sections.items()
    )


def removal_text(found: dict[str, Found]) -> str:
    """For iptables-restore --noflush; "" where there is nothing to remove."""
    return replacement_text(found, "") if found else ""
