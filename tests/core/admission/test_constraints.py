"""Constraints of a mesh, held against a request."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.admission.constraints import REQUIREMENTS_SHOWN, refusal
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.request import AdmissionRequest, Tags
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.resources.kinds.mesh import ProxyConstraints
from support.fakes.admission import proxies

PAYMENTS = {"team": "payments"}


def held_against(
    constraints: ProxyConstraints, *tag_sets: Tags, added: Tags | None = None
) -> Refused | None:
    request = AdmissionRequest("m", "a", ProxyKind.SIDECAR, tag_sets)
    return refusal(constraints, request, zone="east", added=added or {})


@pytest.mark.parametrize(
    "constraints",
    [
        proxies(),
        proxies(require=[PAYMENTS]),
        proxies(require=[{"team": "*"}]),
        proxies(require=[{"team": "x"}, {"kuma.io/zone": "east"}]),
        proxies(forbid=[{"team": "x"}, {"team": "payments", "env": "*"}]),
    ],
)
def test_a_proxy_that_keeps_to_the_constraints_may_join(constraints: ProxyConstraints) -> None:
    assert held_against(constraints, PAYMENTS) is None


def test_the_refusal_names_the_requirements_and_what_was_found() -> None:
    refused = held_against(proxies(require=[PAYMENTS, {"env": "*"}]), {"team": "x"})

    assert refused is not None
    assert refused.code is RefusalCode.MESH_CONSTRAINT
    assert refused.reason == (
        'dataplane cannot be a member of mesh "m" because its tags "kuma.io/zone=east team=x" '
        "does not fulfill any requirements defined on the Mesh"
    )
    assert "team=payments or env=*:" in refused.hint
    assert refused.breach is not None
    assert refused.breach.field == "constraints.dataplaneProxy.requirements"
    assert refused.breach.rules == (PAYMENTS, {"env": "*"})
    assert refused.breach.found == {"team": "x", "kuma.io/zone": "east"}


def test_the_refusal_names_the_restriction() -> None:
    refused = held_against(proxies(forbid=[{"team": "x"}, {"team": "*"}]), PAYMENTS)

    assert refused is not None
    assert refused.reason.endswith('matches restricted tags "team=*" defined on the Mesh')
    assert refused.breach is not None
    assert refused.breach.field == "constraints.dataplaneProxy.restrictions[1]"
    assert refused.breach.field in refused.hint
    assert refused.breach.rules == ({"team": "*"},)


def test_a_hint_does_not_grow_with_the_mesh() -> None:
    many = [{"team": f"t{n}"} for n in range(REQUIREMENTS_SHOWN + 3)]
    exactly = held_against(proxies(require=many[:REQUIREMENTS_SHOWN]), PAYMENTS)
    more = held_against(proxies(require=many), PAYMENTS)

    assert exactly is not None
    assert more is not None
    assert "more" not in exactly.hint
    assert "or one of 3 more:" in more.hint
    assert f"team=t{REQUIREMENTS_SHOWN - 1}" in more.hint
    assert f"team=t{REQUIREMENTS_SHOWN}" not in more.hint


def test_every_set_of_tags_is_looked_at() -> None:
    assert held_against(proxies(require=[PAYMENTS]), PAYMENTS, {"team": "x"}) is not None


def test_a_proxy_without_tags_fulfils_no_requirement() -> None:
    assert held_against(proxies(require=[PAYMENTS]), {}) is not None


def test_the_zone_is_the_control_planes_whatever_is_asked() -> None:
    west = proxies(require=[{"kuma.io/zone": "west"}])
    assert held_against(west, {"kuma.io/zone": "west"}) is not None
    assert held_against(west, {}, added={"kuma.io/zone": "west"}) is not None


def test_tags_that_are_added_count() -> None:
    assert held_against(proxies(require=[PAYMENTS]), {}, added=PAYMENTS) is None
    assert held_against(proxies(forbid=[PAYMENTS]), {}, added=PAYMENTS) is not None
