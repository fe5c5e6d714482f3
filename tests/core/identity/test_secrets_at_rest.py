"""Secrets as they lie in the store."""

from __future__ import annotations

import base64
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.secrets_at_rest import (
    KEYS_MAX,
    NONCE_BYTES,
    SECRET_BYTES_MAX,
    SealedSecretError,
    SecretKey,
    SecretKeyError,
    SecretKeys,
    is_sealed,
    sealing_key_id,
)
from kong_mesh_cp.core.resources.key import ResourceKey

OLD = SecretKey(bytes(range(32)))
NEW = SecretKey(bytes(range(32, 64)))
KEYS = SecretKeys((OLD,))
OWNER = ResourceKey("Secret", "default", "db-password")
NONCE = bytes(NONCE_BYTES)
DATA = b"-----BEGIN RSA PRIVATE KEY-----"
SEALED = KEYS.seal(DATA, of=OWNER, nonce=NONCE)


def refusal(sealed: str, keys: SecretKeys = KEYS, of: ResourceKey = OWNER) -> SealedSecretError:
    with pytest.raises(SealedSecretError) as caught:
        keys.open(sealed, of=of)
    return caught.value


def test_the_cipher_is_the_one_of_the_standard() -> None:
    """NIST SP 800-38D, test case 14: AES-256-GCM of 16 zero bytes under a zero key and nonce."""
    sealed = SecretKey(bytes(32)).seal(bytes(16), nonce=bytes(12), associated=b"")
    assert sealed.hex() == "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"


def test_what_was_sealed_is_opened() -> None:
    assert KEYS.open(SEALED, of=OWNER) == DATA


def test_a_sealed_secret_is_one_line_of_text_that_tells_its_key() -> None:
    assert SEALED.startswith(f"kmesh-sealed:1:{OLD.id}:")
    assert SEALED.isascii()
    assert SEALED.isprintable()
    assert is_sealed(SEALED)
    assert not is_sealed(base64.b64encode(DATA).decode())


def test_the_form_stays_what_it_is_in_stores_already_written() -> None:
    assert SEALED == (
        "kmesh-sealed:1:8498aac9e9baadee:"
        "AAAAAAAAAAAAAAAAI5GY85huxvpB5olnS22xyYAKABJ8xEBkxceerujScJmsTitxEzNfbaHLlQ5UtY0"
    )


@pytest.mark.parametrize(
    "other",
    [
        OWNER._replace(name="db-password2"),
        OWNER._replace(mesh="other"),
        OWNER._replace(mesh=""),
        OWNER._replace(type="GlobalSecret"),
        ResourceKey("Secret", "defaultdb", "-password"),
    ],
)
def test_one_secret_cannot_be_put_in_the_place_of_another(other: ResourceKey) -> None:
    error = refusal(SEALED, of=other)
    assert error.code == "secret-damaged"
    assert "moved there from another name" in error.message


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    both = KEYS.rotated(NEW)
    assert both.keys == (NEW, OLD)
    assert both.open(SEALED, of=OWNER) == DATA
    assert sealing_key_id(SEALED) == OLD.id
    anew = both.seal(DATA, of=OWNER, nonce=NONCE)
    assert sealing_key_id(anew) == NEW.id
    assert f":{NEW.id}:" in anew
    assert SecretKeys((NEW,)).open(anew, of=OWNER) == DATA


def test_a_key_that_is_not_there_is_named_with_the_way_out() -> None:
    error = refusal(SEALED, SecretKeys((NEW,)))
    assert error.code == "secret-key-unknown"
    assert error.message == (
        'the Secret "db-password" in mesh "default" was sealed with the key '
        f"{OLD.id}, which is not there (there is {NEW.id})"
    )
    assert "from a backup" in error.hint


def test_a_secret_under_the_id_of_another_key_is_not_opened() -> None:
    both = KEYS.rotated(NEW)
    assert refusal(SEALED.replace(OLD.id, NEW.id), both).code == "secret-damaged"


@pytest.mark.parametrize(
    "text",
    [
        "", "kmesh-sealed:", "kmesh-sealed:1:", f"kmesh-sealed:2:{OLD.id}:AAAA",
        f"kmesh-sealed:1:{OLD.id}:", f"kmesh-sealed:1:{OLD.id}:AAAA", f"kmesh-sealed:1:{OLD.id}:A",
        SEALED + "\n", SEALED + "=", SEALED[:-4], " " + SEALED, SEALED.upper(),
    ],
)  # fmt: skip
def test_what_was_not_written_here_is_refused(text: str) -> None:
    assert refusal(text).code == "secret-damaged"


def test_no_changed_byte_goes_unnoticed() -> None:
    random = Random(20261121)
    head, _, body = SEALED.rpartition(":")
    content = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for _ in range(2_000):
        damaged = bytearray(content)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        text = base64.urlsafe_b64encode(bytes(damaged)).rstrip(b"=").decode()
        assert refusal(f"{head}:{text}").code == "secret-damaged"


def test_a_nonce_has_its_length() -> None:
    with pytest.raises(ValueError, match="a nonce has 12 bytes"):
        KEYS.seal(DATA, of=OWNER, nonce=b"short")


def test_a_secret_has_a_limit() -> None:
    assert KEYS.open(KEYS.seal(bytes(SECRET_BYTES_MAX), of=OWNER, nonce=NONCE), of=OWNER) == bytes(
        SECRET_BYTES_MAX
    )
    with pytest.raises(ValueError, match="at most"):
        KEYS.seal(bytes(SECRET_BYTES_MAX + 1), of=OWNER, nonce=NONCE)


def test_a_key_file_is_one_line_for_each_key_the_one_in_use_first() -> None:
    document = KEYS.rotated(NEW).document()
    assert document.decode().splitlines() == [NEW.line(), OLD.line()]
    assert SecretKeys.parse(document, source="x") == SecretKeys((NEW, OLD))


def test_a_key_file_may_have_empty_lines_other_line_ends_and_a_key_twice() -> None:
    document = f"\n{NEW.line()}\r\n\n  {OLD.line()}  \n{NEW.line()}".encode()
    assert SecretKeys.parse(document, source="x").keys == (NEW, OLD)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"secret", "holds no key of 32 bytes in line 1"),
        (OLD.line().encode() + b"\nx", "holds no key of 32 bytes in line 2"),
        (base64.b64encode(bytes(31)), "holds no key of 32 bytes in line 1"),
        (base64.b64encode(bytes(33)), "holds no key of 32 bytes in line 1"),
        (b"\xff" * 32, "is no text"),
        (b"".join(base64.b64encode(bytes([n]) * 32) + b"\n" for n in range(KEYS_MAX + 1)), "more"),
    ],
)
def test_a_key_file_that_is_none_is_refused_with_its_place(document: bytes, problem: str) -> None:
    with pytest.raises(SecretKeyError) as caught:
        SecretKeys.parse(document, source="/var/lib/x/secret-key")
    assert "/var/lib/x/secret-key" in caught.value.message
    assert problem in caught.value.message
    assert "secret" not in caught.value.message.split(problem)[-1]
    assert caught.value.exit_status == 78


def test_keys_are_limited_and_never_none() -> None:
    many = tuple(SecretKey(bytes([n]) * 32) for n in range(KEYS_MAX))
    document = SecretKeys(many).document()
    assert len(SecretKeys.parse(document, source="x").keys) == KEYS_MAX
    with pytest.raises(ValueError, match="there are 1 to 16 keys"):
        SecretKeys(many).rotated(NEW)
    with pytest.raises(ValueError, match="there are 1 to 16 keys"):
        SecretKeys(())
    with pytest.raises(ValueError, match="a key of secrets has 32 bytes"):
        SecretKey(bytes(16))


def test_earlier_keys_may_come_from_elsewhere() -> None:
    handed_over, kept = SecretKeys((NEW,)), SecretKeys((OLD, NEW))
    assert handed_over.and_those_of(kept).keys == (NEW, OLD)


def test_keys_do_not_show_themselves() -> None:
    shown = f"{OLD!r} {KEYS!r} {OLD} {KEYS}"
    assert OLD.line() not in shown
    assert bytes(range(32)).hex() not in shown
    assert "\\x01" not in shown


def test_no_refusal_shows_what_is_secret() -> None:
    for error in (refusal(SEALED[:-4]), refusal(SEALED, SecretKeys((NEW,)))):
        assert DATA.decode() not in error.line
        assert OLD.line() not in error.line
        assert error.line.isprintable()


@given(
    data=st.binary(max_size=200),
    nonce=st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES),
    mesh=st.text(max_size=10),
    name=st.text(max_size=10),
)
def test_any_secret_of_any_name_comes_back(data: bytes, nonce: bytes, mesh: str, name: str) -> None:
    owner = ResourceKey("Secret", mesh, name)
    assert KEYS.open(KEYS.seal(data, of=owner, nonce=nonce), of=owner) == data


@given(st.text(max_size=100))
def test_any_text_only_ever_gives_the_typed_refusal(text: str) -> None:
    for sealed in (text, f"kmesh-sealed:1:{OLD.id}:{text}"):
        assert refusal(sealed).line.isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_file_or_the_typed_refusal(document: bytes) -> None:
    with pytest.raises(SecretKeyError):
        SecretKeys.parse(document, source="x")


@given(st.tuples(*[st.text(max_size=4)] * 3), st.tuples(*[st.text(max_size=4)] * 3))
def test_no_two_places_are_taken_for_each_other(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    sealed = KEYS.seal(DATA, of=ResourceKey(*one), nonce=NONCE)
    if one == other:
        assert KEYS.open(sealed, of=ResourceKey(*other)) == DATA
    else:
        assert refusal(sealed, of=ResourceKey(*other)).code == "secret-damaged"
