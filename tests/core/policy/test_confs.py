"""Merged confs as dataclasses: reading and rendering them loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.policy.confs import UnreadableConfError, conf_of, read_conf, render_conf
from kong_mesh_cp.core.policy.kinds import mesh_tcp_route, mesh_timeout, mesh_traffic_permission
from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.policy.policy_kind import PolicyKind
from kong_mesh_cp.core.policy.rules.entries import (
    Contribution,
    from_entries,
    inbound_entries,
    merged,
    proxy_entries,
    to_entries,
)
from kong_mesh_cp.core.policy.rules.policy import Conf, Meta, Policy
from kong_mesh_cp.core.policy.rules.specs import policy_of
from kong_mesh_cp.core.resources.kind import InvalidResourceError
from kong_mesh_cp.core.schema.violations import VIOLATIONS_MAX
from support.specs.schema_documents import bodies
from support.suites.shared_documents import resources
from support.suites.validation_cases import shared_folder

EXAMPLES = 25  # of each kind
TOGETHER_MAX = 3  # policies that are merged

every_kind = pytest.mark.parametrize(
    "kind", POLICY_KINDS.values(), ids=[kind.type for kind in POLICY_KINDS.values()]
)


def policy(kind: PolicyKind[Any], body: Mapping[str, Any]) -> Policy:
    """As it is matched: from what is stored, hence in the schema's own words."""
    spec = json.loads(json.dumps(kind.render(kind.parse(body))["spec"]))
    return policy_of(Meta(kind.type, "m", "p"), spec)


def merged_confs(policies: list[Policy]) -> Iterator[Conf]:
    """The conf of each entry by itself, and of the entries of each kind of list together."""
    for listed in (to_entries, from_entries, inbound_entries, proxy_entries):
        entries: list[Contribution] = list(listed(policies))
        for entry in entries:
            yield from merged([entry])
        yield from merged(entries)


def assert_nothing_is_lost(policy_type: str, confs: Iterable[Conf]) -> None:
    for conf in confs:
        typed = conf_of(policy_type, conf)
        assert isinstance(typed, POLICY_KINDS[policy_type].conf_type)
        assert render_conf(typed) == conf


@every_kind
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_merged_conf_is_rendered_as_it_was_read(
    kind: PolicyKind[Any], data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(bodies(kind), min_size=1, max_size=TOGETHER_MAX))

    assert_nothing_is_lost(kind.type, merged_confs([policy(kind, each) for each in drawn]))


def test_confs_of_the_shared_documents_are_rendered_as_they_were_read() -> None:
    if shared_folder() is None:
        pytest.skip("no shared data beside the checkout")
    together: dict[tuple[object, str], list[Policy]] = {}
    for path, document in resources():
        kind = POLICY_KINDS.get(document.get("type", ""))
        if kind is not None and (found := _sound(kind, document)):
            together.setdefault((path, kind.type), []).append(found)

    for (_, policy_type), policies in together.items():
        assert_nothing_is_lost(policy_type, merged_confs(policies))
    assert together


def _sound(kind: PolicyKind[Any], document: Mapping[str, Any]) -> Policy | None:
    try:
        return policy(kind, document)
    except (InvalidResourceError, ParseError):
        return None  # a case that is about a refusal


def test_a_conf_is_read_by_its_own_fields() -> None:
    conf = read_conf(mesh_timeout.Conf, {"idleTimeout": "1m30s", "http": {"requestTimeout": "5s"}})

    assert conf.idle_timeout == 90 * 10**9
    assert conf.http is not None
    assert conf.http.request_timeout == 5 * 10**9
    assert conf.connection_timeout is None


def test_a_tcp_route_without_a_rule_says_nothing() -> None:
    assert read_conf(mesh_tcp_route.Conf, {}) == mesh_tcp_route.Conf(default=None)


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        (
            {"idleTimeout": 5},
            (
                'conf.idleTimeout in body must be of type string: "number": '
                'write it with its unit, between quotes, as "5s"'
            ),
        ),
        ({"idleTimeout": "soon"}, 'time: invalid duration "soon"'),
        ({"http": []}, 'conf.http in body must be of type object: "array"'),
    ],
)
def test_a_conf_that_no_schema_has_checked_is_refused(conf: Conf, told: str) -> None:
    with pytest.raises(UnreadableConfError) as caught:
        read_conf(mesh_timeout.Conf, conf)

    assert str(caught.value) == told


def test_no_more_faults_are_listed_than_a_body_may_have() -> None:
    action = {"kind": "MeshService", "weight": "much"}
    conf = {"default": {"backendRefs": [action] * (2 * VIOLATIONS_MAX)}}

    with pytest.raises(UnreadableConfError) as caught:
        read_conf(mesh_tcp_route.Conf, conf)

    assert str(caught.value).count("; ") == VIOLATIONS_MAX


def test_a_value_outside_its_enumeration_is_refused() -> None:
    with pytest.raises(UnreadableConfError, match=r"conf\.action in body should be one of"):
        read_conf(mesh_traffic_permission.Conf, {"action": "Perhaps"})
