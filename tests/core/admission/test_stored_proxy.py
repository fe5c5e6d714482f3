"""What of a stored Dataplane counts for the admission of its proxy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.attestation import Identified
from kong_mesh_cp.core.admission.decision import RefusalCode
from kong_mesh_cp.core.admission.request import AdmissionRequest
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.admission.stored_proxy import (
    StoredProxy,
    as_stored,
    lacking,
    mismatch,
    stored_proxy,
)

TAGS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)


def asking(**tags: str) -> AdmissionRequest:
    return AdmissionRequest("default", "web-1", ProxyKind.SIDECAR, (tags,))


def read(**networking: object) -> StoredProxy:
    return stored_proxy(json.dumps({"networking": networking}))


@pytest.mark.parametrize(
    ("networking", "kind"),
    [
        ({"inbound": [{"tags": {}}]}, ProxyKind.SIDECAR),
        ({"gateway": {}}, ProxyKind.DELEGATED_GATEWAY),
        ({"gateway": {"type": "BUILTIN"}}, ProxyKind.BUILTIN_GATEWAY),
        ({"gateway": {"type": 1}}, ProxyKind.BUILTIN_GATEWAY),
        ({"gateway": {"type": "of the future"}}, ProxyKind.SIDECAR),
        ({"gateway": {}, "inbound": [{}]}, ProxyKind.SIDECAR),
        ({}, ProxyKind.SIDECAR),
    ],
)
def test_the_kind_is_read_from_the_resource(networking: dict[str, object], kind: ProxyKind) -> None:
    assert read(**networking).kind is kind


def test_a_spec_without_networking_is_a_sidecar_without_tags() -> None:
    assert stored_proxy("{}") == StoredProxy(ProxyKind.SIDECAR, ())


def test_tags_come_from_each_inbound_and_then_from_the_gateway() -> None:
    found = read(inbound=[{"tags": {"a": "1"}}, {}], gateway={"tags": {"b": "2"}})

    assert found.tag_sets == ({"a": "1"}, {}, {"b": "2"})


def test_a_request_takes_kind_and_tags_from_what_is_stored() -> None:
    stored = read(gateway={"tags": {"a": "1"}})

    assert as_stored(asking(a="1"), stored) == AdmissionRequest(
        "default", "web-1", ProxyKind.DELEGATED_GATEWAY, ({"a": "1"},)
    )


@given(TAGS, st.lists(TAGS, max_size=3))
def test_given_tags_match_when_each_is_on_some_inbound(
    given_tags: dict[str, str], sets: list[dict[str, str]]
) -> None:
    stored = StoredProxy(ProxyKind.SIDECAR, tuple(sets))
    wrong = {tag for tag in given_tags.items() if not any(tag in each.items() for each in sets)}

    refused = mismatch(asking(**given_tags), stored)

    assert (refused is None) == (not wrong)
    if refused is not None:
        assert refused.code is RefusalCode.DATAPLANE_MISMATCH
        assert {each.field for each in refused.violations} == {
            f'tags["{name}"]' for name, _ in wrong
        }


@given(TAGS, st.lists(TAGS, max_size=3))
def test_the_tags_of_a_rule_have_to_be_on_every_inbound(
    fixed: dict[str, str], sets: list[dict[str, str]]
) -> None:
    stored = StoredProxy(ProxyKind.SIDECAR, tuple(sets))

    refused = lacking(asking(), stored, Identified(fixed, 2))

    assert (refused is None) == all(fixed.items() <= each.items() for each in sets)
    if refused is not None:
        assert refused.code is RefusalCode.IDENTITY
        assert [report.rule for report in refused.rules] == [2]
