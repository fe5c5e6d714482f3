"""A proxy gets the secrets that its configuration names, and no others.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.xds.draft import Draft
from kong_mesh_cp.core.xds.generators.proxy_secrets import secrets
from kong_mesh_cp.core.xds.names import SECRET
from kong_mesh_cp.core.xds.parts import Parts
from kong_mesh_cp.core.xds.proxy_view import Identity, KeyPair

IDENTITY = Identity(pair=KeyPair(b"chain", b"key"), authorities={"shop": b"ca", "bank": b"ca"})


def made(trusted: set[str], identity: Identity | None) -> Draft:
    draft = Draft(Parts())
    secrets("shop", identity, trusted, draft)
    return draft


def names(draft: Draft) -> list[str]:
    found = draft.snapshot().by_type.get(SECRET)
    return [] if found is None else sorted(found.resources)


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (set(), []),
        ({"shop"}, ["identity_cert:secret:shop", "mesh_ca:secret:shop"]),
        ({"bank"}, ["identity_cert:secret:shop", "mesh_ca:secret:bank"]),
    ],
)
def test_those_of_the_meshes_that_are_named(trusted: set[str], expected: list[str]) -> None:
    assert names(made(trusted, IDENTITY)) == expected


def test_what_is_not_there_yet_is_waited_for_without_a_word() -> None:
    draft = made({"shop"}, None)
    assert (names(draft), draft.complaints) == ([], [])


def test_a_mesh_without_an_authority_is_told_and_stops_nothing() -> None:
    draft = made({"gone", "shop"}, IDENTITY)
    assert names(draft) == ["identity_cert:secret:shop", "mesh_ca:secret:shop"]
    (complaint,) = draft.complaints
    assert (complaint.about, complaint.reason) == (
        "mesh_ca:secret:gone",
        "mesh gone has no authority that can be trusted",
    )


def test_who_trusts_every_mesh_has_all_authorities_in_the_order_of_their_meshes() -> None:
    authorities = {"shop": b"of the shop", "bank": b"of the bank"}
    draft = Draft(Parts())
    draft.trusts_all = True
    secrets("shop", Identity(pair=KeyPair(b"chain", b"key"), authorities=authorities), set(), draft)
    assert names(draft) == ["identity_cert:secret:shop", "mesh_ca:secret:all"]
    packed = draft.made(SECRET)["mesh_ca:secret:all"].packed
    assert b"of the bank\nof the shop\n" in packed
