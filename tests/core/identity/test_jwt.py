"""Tokens in compact form: what is read, what is refused before anybody believes it."""

from __future__ import annotations

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.identity.jwt import (
    KEY_ID_CHARACTERS_MAX,
    TOKEN_BYTES_MAX,
    PresentedToken,
    encode,
)
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.rsa_keys import Algorithm, LegacyVerifier
from support.fakes.identity import JOHN, base64url, compact, part, signing_key, token_for, unpacked

HEADER = {"alg": "RS256", "kid": "1", "typ": "JWT"}
SECRET = bytes(range(64))


def refusal(text: str) -> TokenRejectedError:
    with pytest.raises(TokenRejectedError) as caught:
        PresentedToken.parse(text)
    return caught.value


def test_a_token_says_which_algorithm_and_which_key() -> None:
    token = encode({"a": 1}, key=signing_key(), kid="7")

    assert unpacked(token) == ({"alg": "RS256", "kid": "7", "typ": "JWT"}, {"a": 1})
    presented = PresentedToken.parse(token)
    assert (presented.algorithm, presented.kid) == (Algorithm.RS256, "7")
    assert presented.payload([signing_key().verifier]) == {"a": 1}


def test_the_header_is_written_as_clients_know_it() -> None:
    token = encode({}, key=signing_key(), kid="1")
    assert token.startswith(part(b'{"alg":"RS256","kid":"1","typ":"JWT"}') + ".")


def test_a_payload_may_hold_any_letters() -> None:
    token = encode({"Name": "Zoë 株式会社"}, key=signing_key(), kid="1")
    assert PresentedToken.parse(token).payload([signing_key().verifier]) == {"Name": "Zoë 株式会社"}


@pytest.mark.parametrize("kid", ["", "a b", "a/b", "ä", "x" * (KEY_ID_CHARACTERS_MAX + 1), "1\n"])
def test_no_token_is_made_with_an_id_of_a_key_that_no_reader_takes(kid: str) -> None:
    with pytest.raises(ValueError, match="a key id is"):
        encode({}, key=signing_key(), kid=kid)


def test_no_token_is_made_that_no_reader_takes_for_its_length() -> None:
    longest = 0
    for length in range(11_900, 12_000):
        try:
            token = encode({"a": "x" * length}, key=signing_key(), kid="1234")
        except ValueError as error:
            assert str(error) == "a token is at most 16384 bytes long"  # noqa: PT017
            break
        longest = len(token)
        assert PresentedToken.parse(token).payload([signing_key().verifier])
    assert longest == TOKEN_BYTES_MAX


@pytest.mark.parametrize("name", ["none", "None", "RS384", "RS512", "PS256", "ES256", "rs256"])
def test_any_other_algorithm_is_refused_in_the_words_that_clients_know(name: str) -> None:
    error = refusal(compact({**HEADER, "alg": name}, {}))
    assert error.fault is TokenFault.ALGORITHM
    assert error.message == (
        f"unsupported token alg {name}. Allowed algorithms are RS256 and HS256"
    )


@pytest.mark.parametrize("name", [None, 1, "", ["RS256"], {"RS256": 1}, "a b", "x" * 33, "a\nb"])
def test_an_algorithm_that_is_no_name_is_refused_and_not_repeated(name: object) -> None:
    error = refusal(compact({**HEADER, "alg": name}, {}))
    assert error.fault is TokenFault.ALGORITHM
    assert "in its header" in error.message


def test_a_token_without_an_id_of_its_key_is_refused() -> None:
    error = refusal(compact({"alg": "RS256", "typ": "JWT"}, {}))
    assert (error.fault, error.message) == (TokenFault.KEY_ID, "JWT token must have kid header")


@pytest.mark.parametrize("kid", [1, None, "", "../1", "a b", "1\n", "x" * 129, ["1"], True])
def test_an_id_that_could_name_no_key_is_refused(kid: object) -> None:
    assert refusal(compact({**HEADER, "kid": kid}, {})).fault is TokenFault.KEY_ID


def test_a_token_that_asks_for_extensions_is_refused() -> None:
    error = refusal(compact({**HEADER, "crit": ["b64"], "b64": False}, {}))
    assert error.fault is TokenFault.MALFORMED
    assert "extensions" in error.message


def test_keys_in_the_header_are_not_looked_at() -> None:
    header = {**HEADER, "jwk": {"kty": "RSA"}, "jku": "https://example.com", "x5u": "x"}
    token = PresentedToken.parse(compact(header, {"a": 1}, sign_with=2))
    with pytest.raises(TokenRejectedError, match="signature is invalid"):
        token.payload([signing_key(1).verifier])


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a.b", "a.b.c.d", "a..c", ".b.c", " a.b.c", "a.b.c\n", "a=.b.c", "a+.b/.c",
        "ä.b.c", "\0.b.c", "Bearer a.b.c", "null", "{}",
    ],
)  # fmt: skip
def test_what_is_not_three_parts_in_base64url_is_no_token(text: str) -> None:
    assert refusal(text).fault is TokenFault.MALFORMED


def test_a_part_of_impossible_length_is_no_base64url() -> None:
    assert "no base64url" in refusal(f"{part(HEADER)}.e30.AAAAA").message


@pytest.mark.parametrize("header", [b"[]", b"null", b"1", b'"x"', b"{", b"", b"\xff", b"{}{}"])
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    text = f"{base64url(header)}.e30.e30"
    assert refusal(text).fault is TokenFault.MALFORMED


def test_a_header_that_says_the_same_thing_twice_is_refused() -> None:
    header = b'{"alg":"none","alg":"RS256","kid":"1"}'
    assert "same key twice" in refusal(compact(header, {})).message


def test_a_payload_that_says_the_same_thing_twice_is_refused_though_signed() -> None:
    token = PresentedToken.parse(compact(HEADER, b'{"Name":"john","Name":"admin"}'))
    with pytest.raises(TokenRejectedError, match="same key twice"):
        token.payload([signing_key().verifier])


@pytest.mark.parametrize("payload", [b"[]", b"null", b"1", b"", b"NaN", b'{"a":NaN}', b"\xff"])
def test_a_payload_that_is_no_object_is_refused_though_signed(payload: bytes) -> None:
    token = f"{part(HEADER)}.{base64url(payload)}"
    if not payload:
        assert refusal(f"{token}.AAAA").fault is TokenFault.MALFORMED
        return
    presented = PresentedToken.parse(compact(HEADER, payload))
    with pytest.raises(TokenRejectedError) as caught:
        presented.payload([signing_key().verifier])
    assert caught.value.fault is TokenFault.MALFORMED


def test_the_payload_is_not_parsed_before_the_signature_is_verified() -> None:
    token = PresentedToken.parse(compact(HEADER, b"no json", sign_with=2))
    with pytest.raises(TokenRejectedError) as caught:
        token.payload([signing_key(1).verifier])
    assert caught.value.fault is TokenFault.SIGNATURE


def test_a_token_beyond_the_limit_is_refused_before_it_is_looked_at() -> None:
    assert "longer than" in refusal("a" * (TOKEN_BYTES_MAX + 1)).message
    assert refusal("a" * TOKEN_BYTES_MAX).message.endswith("three parts in base64url")


def test_bits_that_no_byte_holds_cannot_be_changed() -> None:
    token = token_for(JOHN)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_byte = alphabet[alphabet.index(token[-1]) ^ 1]
    assert refusal(token[:-1] + same_byte).fault is TokenFault.MALFORMED


def test_one_of_several_keys_is_enough() -> None:
    token = PresentedToken.parse(token_for(JOHN, key=2))
    assert token.payload([signing_key(1).verifier, signing_key(2).verifier])["Name"] == "john"


def test_without_keys_no_signature_is_valid() -> None:
    with pytest.raises(TokenRejectedError, match="token signature is invalid"):
        PresentedToken.parse(token_for(JOHN)).payload([])


def hs256(secret: bytes, header: object = None) -> str:
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part({'Name': 'john'})}"
    return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def test_a_token_of_old_is_verified_with_the_secret_that_has_no_number() -> None:
    token = PresentedToken.parse(hs256(SECRET))
    assert (token.algorithm, token.kid) == (Algorithm.HS256, "")
    assert token.payload([LegacyVerifier(SECRET)]) == {"Name": "john"}


def test_the_public_key_is_never_a_shared_secret() -> None:
    """The oldest attack on JWT: a token of HS256, made with what everybody may know."""
    verifier = signing_key().verifier
    token = PresentedToken.parse(hs256(verifier.pem(), {"alg": "HS256", "kid": "1"}))
    with pytest.raises(TokenRejectedError, match="signature is invalid"):
        token.payload([verifier])


def test_a_token_of_rs256_is_never_verified_with_a_shared_secret() -> None:
    signed = f"{part(HEADER)}.{part({})}"
    forged = f"{signed}.{base64url(hmac.digest(SECRET, signed.encode(), 'sha256'))}"
    with pytest.raises(TokenRejectedError, match="signature is invalid"):
        PresentedToken.parse(forged).payload([LegacyVerifier(SECRET)])


def test_a_presented_token_does_not_show_what_it_carries() -> None:
    token = token_for(JOHN)
    shown = repr(PresentedToken.parse(token))
    assert not any(piece in shown for piece in token.split("."))


@given(st.text(max_size=200))
def test_hostile_text_only_ever_gives_the_typed_refusal(text: str) -> None:
    assert refusal(text).code.startswith("token-")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_hostile_headers_only_ever_give_the_typed_refusal(header: object) -> None:
    text = f"{base64url(json.dumps(header).encode())}.e30.AAAA"
    assert refusal(text).line.isprintable()


@given(st.binary(max_size=300))
def test_hostile_signed_payloads_only_ever_give_the_typed_refusal(payload: bytes) -> None:
    refused: TokenRejectedError | None = None
    said: object = None
    try:
        said = PresentedToken.parse(compact(HEADER, payload)).payload([signing_key().verifier])
    except TokenRejectedError as error:
        refused = error
    assert isinstance(said, dict) if refused is None else refused.line.isprintable()
