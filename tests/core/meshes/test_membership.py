"""Which proxies a mesh takes."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.membership import refusal, shown
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.messages import read_message

WEB = {"kuma.io/service": "web", "kuma.io/zone": "east"}


def mesh(
    requirements: list[dict[str, str]] | None = None,
    restrictions: list[dict[str, str]] | None = None,
) -> Mesh:
    constraints = {
        "requirements": [{"tags": tags} for tags in requirements or []],
        "restrictions": [{"tags": tags} for tags in restrictions or []],
    }
    return read_message(Mesh, {"constraints": {"dataplaneProxy": constraints}})


@pytest.mark.parametrize(
    "document", [{}, {"constraints": {}}, {"constraints": {"dataplaneProxy": {}}}]
)
def test_a_mesh_without_constraints_takes_everybody(document: object) -> None:
    assert refusal("m", read_message(Mesh, document), [WEB, {}]) is None


@pytest.mark.parametrize(
    "requirements",
    [
        [{"kuma.io/zone": "east"}],
        [{"kuma.io/zone": "*"}],
        [{"kuma.io/zone": "west"}, {"kuma.io/service": "web"}],
        [{"kuma.io/zone": "east", "kuma.io/service": "web"}],
    ],
)
def test_one_requirement_is_enough(requirements: list[dict[str, str]]) -> None:
    assert refusal("m", mesh(requirements), [WEB]) is None


@pytest.mark.parametrize(
    "requirements",
    [
        [{"kuma.io/zone": "west"}],
        [{"team": "*"}],
        [{"kuma.io/zone": "east", "team": "*"}],
    ],
)
def test_a_proxy_that_fulfils_none_is_no_member(requirements: list[dict[str, str]]) -> None:
    assert refusal("m", mesh(requirements), [WEB]) == (
        'dataplane cannot be a member of mesh "m" because its tags '
        '"kuma.io/service=web kuma.io/zone=east" does not fulfill any requirements defined on '
        "the Mesh"
    )


def test_the_star_asks_for_a_value() -> None:
    assert refusal("m", mesh([{"team": "*"}]), [{"team": ""}]) is not None


def test_a_restriction_rejects_a_proxy_that_matches_it() -> None:
    restricted = mesh(restrictions=[{"team": "*"}, {"kuma.io/zone": "east"}])
    assert refusal("m", restricted, [WEB]) == (
        'dataplane cannot be a member of mesh "m" because its tags '
        '"kuma.io/service=web kuma.io/zone=east" matches restricted tags "kuma.io/zone=east" '
        "defined on the Mesh"
    )
    assert refusal("m", restricted, [{"kuma.io/zone": "west"}]) is None


def test_a_restriction_weighs_more_than_a_requirement() -> None:
    both = mesh([{"kuma.io/zone": "east"}], [{"kuma.io/service": "web"}])
    assert "restricted" in (refusal("m", both, [WEB]) or "")


def test_every_tag_set_is_looked_at() -> None:
    east = mesh([{"kuma.io/zone": "east"}])
    assert refusal("m", east, [WEB, {"kuma.io/zone": "west"}]) is not None


def test_tags_are_shown_sorted() -> None:
    assert shown({"b": "2", "a": "1"}) == "a=1 b=2"
    assert shown({}) == ""
