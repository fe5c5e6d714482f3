"""Under which names keys and revocations are found."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.key_series import (
    ADMIN_USER_TOKEN,
    USER_KEYS,
    ZONE_KEYS,
    OfflineKeys,
    dataplane_keys,
    revoked_ids,
    with_revoked,
)
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.core.resources.key import ResourceKey
from support.fakes.identity import pem, signing_key


def test_keys_of_users_and_zones_are_global_secrets_and_those_of_proxies_are_in_their_mesh() -> (
    None
):
    assert USER_KEYS.key(1) == ResourceKey("GlobalSecret", "", "user-token-signing-key-1")
    assert ZONE_KEYS.key(12) == ResourceKey("GlobalSecret", "", "zone-token-signing-key-12")
    assert dataplane_keys("payments").key(2) == ResourceKey(
        "Secret", "payments", "dataplane-token-signing-key-payments-2"
    )
    assert ResourceKey("GlobalSecret", "", "admin-user-token") == ADMIN_USER_TOKEN


def test_the_secret_of_old_tokens_is_the_one_without_a_number() -> None:
    assert USER_KEYS.legacy_key.name == "user-token-signing-key"
    assert dataplane_keys("m").legacy_key == ResourceKey(
        "Secret", "m", "dataplane-token-signing-key-m"
    )


def test_a_zones_control_plane_finds_the_public_half_from_the_global_one() -> None:
    assert [key.name for key in ZONE_KEYS.keys_of("3")] == [
        "zone-token-signing-key-3",
        "zone-token-signing-public-key-3",
    ]
    assert [key.name for key in USER_KEYS.keys_of("3")] == ["user-token-signing-key-3"]


@pytest.mark.parametrize("kid", ["", "01", "-1", "+1", "1.0", "a", "1 ", "１", "1-2", "9" * 19])
def test_an_id_that_no_number_prints_as_names_no_secret(kid: str) -> None:
    assert USER_KEYS.keys_of(kid) == ()


def test_serials_are_numbers_not_texts() -> None:
    names = [f"user-token-signing-key-{serial}" for serial in ("9", "10", "2")]
    assert USER_KEYS.serials(names) == [2, 9, 10]


def test_names_that_are_no_keys_of_the_series_are_skipped() -> None:
    names = [
        "user-token-signing-key",
        "user-token-signing-key-",
        "user-token-signing-key-01",  # its tokens could not be verified
        "user-token-signing-key-x",
        "user-token-signing-key-1-2",
        "my-user-token-signing-key-5",
        "zone-token-signing-key-7",
        "user-token-signing-key-0",
    ]
    assert USER_KEYS.serials(names) == [0]


def test_a_mesh_whose_name_ends_in_a_number_does_not_lend_keys_to_another() -> None:
    names = ["dataplane-token-signing-key-a-1-5", "dataplane-token-signing-key-a-2"]
    assert dataplane_keys("a").serials(names) == [2]
    assert dataplane_keys("a-1").serials(names) == [5]


def test_a_missing_key_is_reported_in_the_words_that_clients_know() -> None:
    assert ZONE_KEYS.missing("1").message == (
        'there is no signing key with KID 1. GlobalSecret of name "zone-token-signing-key-1" is '
        "not found. If signing key was rotated, regenerate the token"
    )
    assert dataplane_keys("default").missing("1").message == (
        "there is no signing key with KID 1. Secret of name "
        '"dataplane-token-signing-key-default-1" in mesh "default" is not found. If signing key '
        "was rotated, regenerate the token"
    )


def test_revocations_of_proxies_are_read_from_the_mesh_and_from_beside_it() -> None:
    assert dataplane_keys("m").revocations == (
        ResourceKey("Secret", "m", "dataplane-token-revocations-m"),
        ResourceKey("GlobalSecret", "", "dataplane-token-revocations-m"),
    )
    assert USER_KEYS.revocations == (ResourceKey("GlobalSecret", "", "user-token-revocations"),)
    assert ZONE_KEYS.revocations == (ResourceKey("GlobalSecret", "", "zone-token-revocations"),)


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"", set()),
        (b"\n", set()),
        (b"a", {"a"}),
        (b"a\n", {"a"}),
        (b"a\n\n", {"a\n", "a"}),  # one line break is trimmed, as Kuma does it
        (b"a,b", {"a", "b"}),
        (b"a, b", {"a", " b", "b"}),
        (b"a,,b,", {"a", "b"}),  # an empty id would void every token without one
        ("ä,\xff".encode("latin-1"), {"\ufffd"}),
    ],
)
def test_revoked_ids_stand_between_commas(data: bytes, ids: set[str]) -> None:
    assert revoked_ids(data) == ids


@pytest.mark.parametrize(
    "text",
    [
        "{0}\n{1}",
        "{0}\r\n{1}\r\n",
        "{0} {1}",
        "{0}; {1}",
        "{0},\n{1},\n",
        '["{0}", "{1}"]',
        "['{0}','{1}']",
        "- {0}\n- {1}\n",
        '"{0}","{1}"',
        "\ufeff{0},{1}",
        "\t{0}\n\n\t{1}",
    ],
)
def test_revoked_ids_are_read_in_whatever_form_a_list_has(text: str) -> None:
    """A list that is read as one long id would leave every token of it good."""
    ids = [str(uuid4()), str(uuid4())]
    assert revoked_ids(text.format(*ids).encode()) >= set(ids)


def test_an_id_that_is_added_to_a_list_of_another_form_is_found() -> None:
    for before in ('["a"]', "a\nb", "a; b\n"):
        assert revoked_ids(with_revoked(before.encode(), "new")) >= {"a", "new"}


def test_an_id_is_added_once() -> None:
    assert with_revoked(b"", "a") == b"a"
    assert with_revoked(b"a\n", "b") == b"a,b"
    assert with_revoked(b"a,b\n", "b") == b"a,b\n"


@pytest.mark.parametrize("token_id", ["", "a,b", "a\n", "\0"])
def test_an_id_that_would_void_others_is_refused(token_id: str) -> None:
    with pytest.raises(ValueError, match="a text without commas"):
        with_revoked(b"", token_id)


@given(st.lists(st.uuids().map(str), max_size=8), st.uuids().map(str))
def test_what_was_revoked_stays_revoked(before: list[str], token_id: str) -> None:
    data = b""
    for each in before:
        data = with_revoked(data, each)
    assert revoked_ids(with_revoked(data, token_id)) == {*before, token_id}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_of_revocations(data: bytes) -> None:
    assert "" not in revoked_ids(data)


def test_offline_keys_are_found_by_id_and_mesh() -> None:
    one, two = signing_key(1).verifier.pem(), signing_key(2).verifier.pem()
    keys = OfflineKeys.parse([("", "mine", one), ("payments", "mine", two), ("payments", "x", one)])
    signed = signing_key(2).sign(b"x")

    assert len(keys.find("mine")) == 1
    assert [key.verifies(signed, b"x") for key in keys.find("mine", mesh="payments")] == [
        True,
        False,
    ]
    assert [key.verifies(signed, b"x") for key in keys.find("mine", mesh="other")] == [False]
    assert keys.find("x") == ()
    assert keys.find("nobody", mesh="payments") == ()


def test_an_offline_key_may_be_given_as_the_private_one_too() -> None:
    assert OfflineKeys.parse([("", "1", pem())]).find("1")


def test_an_offline_key_that_is_none_is_refused() -> None:
    with pytest.raises(SigningKeyError):
        OfflineKeys.parse([("", "1", b"nothing")])


def test_an_offline_key_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match='the public key "1" is there twice'):
        OfflineKeys.parse([("", "1", pem(1)), ("", "1", pem(2))])
