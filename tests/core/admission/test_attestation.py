from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.admission.attestation import (
    AttestedPeer,
    Identified,
    IdentityRules,
    NoUnit,
    Rule,
    UnitUnseen,
)
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.errors import ConfigurationError
from support.fakes.peers import attested

MACHINE_ID = "0123456789abcdef0123456789abcdef"


def asking(name: str = "backend-1", *, mesh: str = "default", **tags: str) -> AdmissionRequest:
    return AdmissionRequest(mesh, name, ProxyKind.SIDECAR, (tags,))


def identify(
    rules: list[Rule], request: AdmissionRequest, peer: AttestedPeer
) -> Identified | Refused:
    return IdentityRules(rules, machine_id=MACHINE_ID).identify(request, peer)


def admits(rule: Rule, request: AdmissionRequest, peer: AttestedPeer) -> bool:
    return isinstance(identify([rule], request, peer), Identified)


def matches(refused: Identified | Refused) -> list[list[tuple[str, bool]]]:
    assert isinstance(refused, Refused)
    return [[(s.selector, s.matched) for s in report.selectors] for report in refused.rules]


@pytest.mark.parametrize(
    ("selectors", "peer", "matched"),
    [
        ({"unit": "backend.service"}, {"unit": "backend.service"}, True),
        ({"unit": "backend.service"}, {"unit": "backend2.service"}, False),
        ({"unit": "backend.service"}, {"unit": "xbackend.service"}, False),
        ({"unit": "kuma-dp@*.service"}, {"unit": "kuma-dp@backend-1.service"}, True),
        ({"unit": "kuma-dp@*.service"}, {"unit": "kuma-dp.service"}, False),
        ({"unit": "kuma-dp@?.service"}, {"unit": "kuma-dp@12.service"}, False),
        ({"unit": "[ab].service"}, {"unit": "b.service"}, True),
        ({"unit": "BACKEND.service"}, {"unit": "backend.service"}, False),
        ({"unit": "*"}, {"unit": None}, False),
        ({"unit": "none"}, {"unit": None}, False),
        ({"user": "payments"}, {"user": "payments"}, True),
        ({"user": "payments"}, {"user": "root"}, False),
        ({"user": "payments"}, {"user": None}, False),
        ({"user": "pay*"}, {"user": "payments"}, False),
        ({"group": "mesh"}, {"groups": frozenset({"adm", "mesh"})}, True),
        ({"group": "mesh"}, {"groups": frozenset({"adm"})}, False),
        ({"uid": 1000}, {"uid": 1000}, True),
        ({"uid": 0}, {"uid": 0}, True),
        ({"uid": 0}, {"uid": 1000}, False),
        ({"gid": 7}, {"gid": 7}, True),
        ({"gid": 7}, {"gid": 1, "gids": frozenset({7})}, True),
        ({"gid": 0}, {"gid": 1}, False),
        ({"uid": 1000, "unit": "a.service"}, {"uid": 1000, "unit": "b.service"}, False),
        ({"uid": 1000, "mesh": "default"}, {"uid": 1000}, True),
        ({"uid": 1000, "mesh": "other"}, {"uid": 1000}, False),
        ({"uid": 1000, "name": "backend-1"}, {"uid": 1000}, True),
        ({"uid": 1000, "name": "backend-2"}, {"uid": 1000}, False),
    ],
)
def test_all_selectors_of_a_rule_must_match(
    selectors: dict[str, Any], peer: dict[str, Any], matched: bool
) -> None:
    assert admits(Rule(**selectors), asking(), attested(**peer)) is matched


@pytest.mark.parametrize(
    ("template", "peer", "name"),
    [
        ("{instance}", {"unit": "kuma-dp@backend-1.service"}, "backend-1"),
        ("{instance}", {"unit": "kuma-dp@backend\\x2d1.service"}, "backend-1"),
        ("{instance}.eu", {"unit": "kuma-dp@a@b.service"}, "a@b.eu"),
        ("{unit}", {"unit": "backend.service"}, "backend"),
        ("dp-{user}", {"unit": "x.service", "user": "payments"}, "dp-payments"),
        ("{unit}-{machine_id8}", {"unit": "backend.service"}, "backend-01234567"),
        ("{machine_id8}", {"unit": "x.service"}, "01234567"),
        ("fixed", {"unit": "x.service"}, "fixed"),
    ],
)
def test_a_name_template_stands_for_one_name(
    template: str, peer: dict[str, Any], name: str
) -> None:
    rule = Rule(unit="*", name=template)

    assert admits(rule, asking(name), attested(**peer))
    assert not admits(rule, asking(f"{name}x"), attested(**peer))


@pytest.mark.parametrize(
    ("template", "peer"),
    [
        ("{instance}", {"unit": "kuma-dp@.service"}),
        ("{instance}", {"unit": "backend.service"}),
        ("{instance}", {"unit": None}),
        ("{unit}", {"unit": None}),
        ("{user}", {"user": None}),
    ],
)
def test_a_template_without_a_value_matches_no_name(template: str, peer: dict[str, Any]) -> None:
    rule = Rule(uid=1000, name=template)

    for name in ("", "none", "None", template, "backend"):
        assert not admits(rule, asking(name), attested(**peer))


def test_the_first_matching_rule_decides() -> None:
    rules = [
        Rule(uid=1, tags={"team": "first"}),
        Rule(uid=1000, tags={"team": "second"}),
        Rule(uid=1000, tags={"team": "third"}),
    ]

    assert identify(rules, asking(), attested()) == Identified({"team": "second"})


def test_a_refusal_lists_every_selector_of_every_rule() -> None:
    rules = [
        Rule(unit="kuma-dp@*.service", mesh="default", name="{instance}"),
        Rule(uid=1000, group="mesh", mesh="other"),
    ]

    refused = identify(rules, asking(), attested(unit="kuma-dp@web.service"))

    assert matches(refused) == [
        [("unit", True), ("mesh", True), ("name", False)],
        [("group", False), ("uid", True), ("mesh", False)],
    ]
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.IDENTITY
    name = refused.rules[0].selectors[2]
    assert (name.wanted, name.found) == ("web", "backend-1")


def test_a_refusal_says_who_asked() -> None:
    refused = identify([Rule(uid=0)], asking(), attested(pid=77, uid=1001))

    assert isinstance(refused, Refused)
    assert "pid 77, uid 1001" in refused.reason


def test_a_unit_that_cannot_be_seen_never_matches_and_says_what_to_do() -> None:
    unseen = UnitUnseen("/proc hides it", "Set ProtectProc=default.")

    refused = identify([Rule(unit="*")], asking(), attested(unit=unseen))

    assert isinstance(refused, Refused)
    assert refused.hint == "Set ProtectProc=default."
    assert refused.rules[0].selectors[0].found == "unknown: /proc hides it"


def test_a_unit_that_cannot_be_seen_does_not_matter_where_no_rule_asks_for_it() -> None:
    unseen = UnitUnseen("/proc hides it", "Set ProtectProc=default.")

    refused = identify([Rule(uid=0)], asking(), attested(unit=unseen))

    assert isinstance(refused, Refused)
    assert refused.hint != "Set ProtectProc=default."
    assert admits(Rule(uid=1000), asking(), attested(unit=unseen))


def test_tags_of_the_rule_are_added() -> None:
    rule = Rule(uid=1000, tags={"team": "payments"})

    assert identify([rule], asking(version="v1"), attested()) == Identified({"team": "payments"})
    assert admits(rule, asking(team="payments"), attested())


def test_tags_of_the_rule_cannot_be_overridden() -> None:
    rule = Rule(uid=1000, tags={"team": "payments", "env": "prod"})

    refused = identify([rule], asking(team="root", env="prod"), attested())

    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.IDENTITY
    (selector,) = refused.rules[0].selectors
    assert (selector.selector, selector.wanted, selector.found) == (
        'tags["team"]',
        "payments",
        "root",
    )
    assert "root" not in refused.hint


def test_no_inbound_can_carry_another_value_of_a_fixed_tag() -> None:
    rule = Rule(uid=1000, tags={"team": "payments"})
    request = AdmissionRequest(
        "default", "backend-1", ProxyKind.SIDECAR, ({"team": "payments"}, {"team": "root"})
    )

    assert isinstance(identify([rule], request, attested()), Refused)


def test_a_rule_with_a_tag_conflict_does_not_pass_the_request_on_to_the_next_rule() -> None:
    rules = [Rule(uid=1000, tags={"team": "payments"}), Rule(uid=1000)]

    assert isinstance(identify(rules, asking(team="root"), attested()), Refused)


@pytest.mark.parametrize("fields", [{}, {"mesh": "default"}, {"name": "x", "tags": {"a": "b"}}])
def test_a_rule_without_a_selector_is_a_mistake(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Rule(**fields)

    assert refused.value.code == "admission-rule-open"


@pytest.mark.parametrize("name", ["{host}", "{}", "x-{Instance}", "{unit}{pid}"])
def test_a_name_with_an_unknown_placeholder_is_a_mistake(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Rule(uid=1, name=name)

    assert refused.value.code == "admission-rule-name"
    assert "{instance}" in refused.value.hint


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        (Rule(user="a"), True),
        (Rule(group="a"), True),
        (Rule(uid=1, name="{user}"), True),
        (Rule(uid=1), False),
        (Rule(unit="*", gid=2, name="{unit}"), False),
    ],
)
def test_names_are_looked_up_only_for_rules_that_use_them(rule: Rule, needs: bool) -> None:
    assert IdentityRules([rule], machine_id=MACHINE_ID).needs_names is needs


def test_no_rules_at_all_are_distinguished_from_rules_that_refuse() -> None:
    assert not IdentityRules([], machine_id=MACHINE_ID)
    assert IdentityRules([Rule(uid=1)], machine_id=MACHINE_ID)


def test_a_process_in_no_unit_is_shown_as_none() -> None:
    refused = identify([Rule(unit="a.service")], asking(), attested(unit=NoUnit()))

    assert isinstance(refused, Refused)
    assert refused.rules[0].selectors[0].found == "none"
