"""One merged conf for an inbound, from `rules` and `from` alike.

Source: docs/wire/policies.md#inbound-rules
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.policy.rules.inbound_rules import inbound_rules
from kong_mesh_cp.core.policy.rules.policy import Conf
from kong_mesh_cp.core.policy.target_ref import WHOLE_MESH
from support.specs.policies import policy


def test_rules_and_from_say_the_same() -> None:
    by_rules = inbound_rules([policy(rules=[{"a": 1}])])
    by_from = inbound_rules([policy(sources=[(WHOLE_MESH, {"a": 1})])])

    assert by_rules[0].confs == by_from[0].confs == ({"a": 1},)


def test_rules_count_where_both_are_given() -> None:
    (rule,) = inbound_rules([policy(rules=[{"a": 1}], sources=[(WHOLE_MESH, {"b": 2})])])

    assert rule.confs == ({"a": 1},)


def test_from_of_other_types_speaks_of_clients_and_not_of_inbounds() -> None:
    permission = policy(of="MeshTrafficPermission", sources=[(WHOLE_MESH, {"action": "Allow"})])

    assert inbound_rules([permission]) == ()


def test_every_entry_is_an_origin_by_its_index() -> None:
    (rule,) = inbound_rules(
        [policy("a", rules=[{"x": 1}, {"x": 2, "y": 2}]), policy("b", rules=[{"y": 3, "z": 3}])]
    )

    assert rule.confs == ({"x": 2, "y": 2, "z": 3},)
    assert [(each.meta.name, each.index) for each in rule.origins] == [("b", 0), ("a", 0), ("a", 1)]


def test_nothing_said_is_no_rule() -> None:
    assert inbound_rules([policy(to=[(WHOLE_MESH, {})])]) == ()


CONFS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9), max_size=2)


@given(confs=st.lists(st.lists(CONFS, min_size=1, max_size=2), max_size=3), data=st.data())
def test_the_order_in_which_policies_are_listed_does_not_matter(
    confs: list[list[Conf]], data: st.DataObject
) -> None:
    policies = [policy(f"p{index}", rules=rules) for index, rules in enumerate(confs)]
    shuffled = data.draw(st.permutations(policies))

    assert inbound_rules(shuffled) == inbound_rules(policies)
