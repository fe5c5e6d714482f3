"""Rules in the form of firewalld's direct.xml, which puts them back whenever it starts.

Rules that we insert come before those that we append: the smaller its priority, the earlier.

Source: docs/wire/transparent-proxy.md#firewalld
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.lazy_import import lazy_import
from kumactl.errors import KumactlError
from kumactl.transparent_proxy.restore_text import COMMENT_PREFIX
from kumactl.transparent_proxy.rules import CHAIN_PREFIX, Table

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET
else:
    ET = lazy_import("xml.etree.ElementTree")

DIRECT_FILE: Final = Path("/etc/firewalld/direct.xml")
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
_APPENDED: Final = 3  # the priority that the original gives
_HEADER: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def direct_xml(existing: str, families: Iterable[tuple[str, list[tuple[Table, list[str]]]]]) -> str:
    """`existing` (of a direct.xml, or "") with what is a proxy's in it replaced.

    A family is `ipv4` or `ipv6` and its tables, each with its lines of `restore_text`; none leaves
    what is not a proxy's. Raises: KumactlError.
    """
    root = _cleaned(existing)
    for family, tables in families:
        for table, lines in tables:
            for chain in table.chains:
                ET.SubElement(root, "chain", {"ipv": family, "table": table.name, "chain": chain})
            _add_rules(root, family, table, lines)
    ET.indent(root)
    return _HEADER + ET.tostring(root, "unicode", short_empty_elements=False) + "\n"


def has_ours(existing: str) -> bool:
    """Whether anything in a direct.xml is a proxy's."""
    return CHAIN_PREFIX in existing or COMMENT_PREFIX in existing


def read(path: Path) -> str:
    """Its text, "" where it is not there. Raises: KumactlError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise KumactlError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise KumactlError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return content.decode(errors="replace")


def write(path: Path, text: str) -> None:
    """Raises: KumactlError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, "utf-8")
        draft.chmod(0o600)
        draft.replace(path)
    except OSError as error:
        raise KumactlError(
            f"{path} cannot be written: {error.strerror}. Is firewalld installed? Leave out"
            " --store-firewalld where it is not"
        ) from None


def _cleaned(existing: str) -> ET.Element:
    if not existing.strip():
        return ET.Element("direct")
    try:
        root = ET.fromstring(existing)
    except ET.ParseError as error:
        raise KumactlError(f"{DIRECT_FILE} is no XML: {error}") from None
    for each in list(root):
        words = (each.text or "", each.get("chain", ""))
        if any(has_ours(word) for word in words):
            root.remove(each)
    return root


def _add_rules(root: ET.Element, family: str, table: Table, lines: list[str]) -> None:
    inserted = sum(rule.inserted for rule in table.rules)
    before = 0
    for rule, line in zip(table.rules, lines, strict=True):
        before += rule.inserted
        priority = before - inserted if rule.inserted else _APPENDED
        place = {"ipv": family, "table": table.name, "chain": rule.chain}
        element = ET.SubElement(root, "rule", {**place, "priority": str(priority)})
        element.text = line.split(" ", 3 if rule.inserted else 2)[-1]
