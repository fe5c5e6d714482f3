"""Rules in firewalld's direct.xml: in their order, beside those of others, and only once."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kumactl.errors import KumactlError
from kumactl.transparent_proxy import firewalld
from kumactl.transparent_proxy.restore_text import rule_lines
from kumactl.transparent_proxy.rules import Family, Table, tables
from kumactl.transparent_proxy.settings import Settings

THEIRS = """\
<?xml version="1.0" encoding="utf-8"?>
<direct>
  <chain ipv="ipv4" table="filter" chain="mine"/>
  <rule ipv="ipv4" table="filter" chain="mine" priority="0">-p tcp -j DROP</rule>
  <passthrough ipv="ipv6">-t filter -A INPUT -j ACCEPT</passthrough>
</direct>
"""
INBOUND = (
    '-m comment --comment "kuma/mesh/transparent/proxy/inbound TCP" -p tcp -j KUMA_MESH_INBOUND'
)
Families = list[tuple[str, list[tuple[Table, list[str]]]]]


def _families(settings: Settings, *, ipv6: bool = False) -> Families:
    family = Family(ipv6=ipv6, settings=settings, uid="5678", loopback="lo", dns=settings.dns_all)
    lines = [
        (each, list(rule_lines(each, comments=True, verbose=settings.verbose)))
        for each in tables(family)
    ]
    return [("ipv6" if ipv6 else "ipv4", lines)]


def _rules(text: str, chain: str) -> list[tuple[str, str, str]]:
    root = ET.fromstring(text)
    return [
        (each.get("ipv", ""), each.get("priority", ""), each.text or "")
        for each in root.iter("rule")
        if each.get("chain") == chain
    ]


def test_chains_and_rules_of_both_families_are_there() -> None:
    both = [*_families(Settings()), *_families(Settings(), ipv6=True)]

    text = firewalld.direct_xml("", both)

    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<direct>\n')
    chains = [dict(each.attrib) for each in ET.fromstring(text).iter("chain")]
    assert len(chains) == 8
    assert chains[0] == {"ipv": "ipv4", "table": "nat", "chain": "KUMA_MESH_INBOUND"}
    assert _rules(text, "PREROUTING") == [
        (
            family,
            "3",
            INBOUND,
        )
        for family in ("ipv4", "ipv6")
    ]


@pytest.mark.parametrize("verbose", [False, True])
def test_rules_that_are_inserted_come_before_the_others_in_their_order(verbose: bool) -> None:
    text = firewalld.direct_xml("", _families(Settings(dns_all=True, verbose=verbose)))

    rules = _rules(text, "OUTPUT")
    assert [priority for _, priority, _ in rules] == ["-1", "0", "3"]
    assert ["--uid-owner 5678" in body for _, _, body in rules] == [True, False, False]
    assert not [body for _, _, body in rules if body.startswith(("-I", "-A", "OUTPUT", "1 "))]


def test_rules_of_others_stay_and_those_of_a_proxy_are_replaced() -> None:
    once = firewalld.direct_xml(THEIRS, _families(Settings()))
    twice = firewalld.direct_xml(once, _families(Settings()))

    assert twice == once
    assert _rules(twice, "mine") == [("ipv4", "0", "-p tcp -j DROP")]
    assert "<passthrough" in twice


def test_nothing_of_a_proxy_is_left_where_it_is_taken_out() -> None:
    text = firewalld.direct_xml(firewalld.direct_xml(THEIRS, _families(Settings())), ())

    assert not firewalld.has_ours(text)
    assert ET.canonicalize(text, strip_text=True) == ET.canonicalize(THEIRS, strip_text=True)


def test_what_is_no_xml_is_left_alone() -> None:
    with pytest.raises(KumactlError, match="is no XML"):
        firewalld.direct_xml("<direct>", ())


def test_a_file_is_written_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "direct.xml"
    firewalld.write(path, THEIRS)

    assert firewalld.read(path) == THEIRS
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_without_firewalld_it_is_said_which_flag_to_leave_out(tmp_path: Path) -> None:
    with pytest.raises(KumactlError, match="--store-firewalld"):
        firewalld.write(tmp_path / "missing" / "direct.xml", THEIRS)

    assert firewalld.read(tmp_path / "missing" / "direct.xml") == ""
