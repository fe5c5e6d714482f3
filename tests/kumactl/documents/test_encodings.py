"""Manifests as Windows and word processors write them: read, or told by character and place."""

from __future__ import annotations

import codecs
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kumactl.documents import odd_characters, yaml_text
from kumactl.documents.encodings import text_of
from kumactl.errors import UsageError
from kumactl.json_value import text_at

TEXT = "type: Zone\r\nname: zürich\r\n"
NAME = {"type": "Zone", "name": "zürich"}


def read(content: bytes) -> list[object]:
    return yaml_text.parse_documents(text_of(content, "x.yaml"), "x.yaml")


def refused(content: bytes) -> str:
    with pytest.raises(UsageError) as told:
        read(content)
    return told.value.message


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32-le"),
        TEXT.encode("utf-32-be"),
    ],
)
def test_every_form_of_unicode_is_read(content: bytes) -> None:
    assert read(content) == [NAME]


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), min_size=1))
def test_the_form_of_unicode_does_not_change_a_text(text: str) -> None:
    marked = codecs.BOM_UTF16_LE + f"#{text}".encode("utf-16-le")

    assert text_of(marked, "x") == f"#{text}" == text_of(f"#{text}".encode(), "x")


@pytest.mark.parametrize("between", ["---\n", "---\r\n", "--- # next\n", "---\n\n# next\n"])
@pytest.mark.parametrize("before", ["", "\ufeff"])
@pytest.mark.parametrize("behind", ["", "\ufeff", "\ufeff\ufeff"])
def test_byte_order_marks_of_files_that_were_joined_are_left_out(
    before: str, between: str, behind: str
) -> None:
    joined = f"\ufefftype: Zone\nname: a\n{before}{between}{behind}type: Zone\nname: b\n"

    assert [text_at(each, "name") for each in read(joined.encode())] == ["a", "b"]


def test_files_that_were_joined_without_a_line_between_are_told() -> None:
    message = refused("type: Zone\nname: a\n\ufefftype: Zone\nname: b\n".encode())

    assert (
        "Line 3, column 1 is a byte order mark (U+FEFF): put a line of --- in its place" in message
    )


def test_a_byte_order_mark_within_quotes_is_part_of_a_text() -> None:
    assert read('a: "\ufeffb"\n'.encode()) == [{"a": "\ufeffb"}]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"type: Zone\nname: z\xfcrich\n", "line 2, column 8 has the byte 0xFC"),
        ("# ä\nname: ".encode() + b"\xff\xfe", "line 2, column 7 has the byte 0xFF"),
        (b"\x80", "line 1, column 1 has the byte 0x80"),
    ],
)
def test_text_that_is_no_unicode_is_told_with_what_converts_it(content: bytes, place: str) -> None:
    message = refused(content)

    assert place in message
    assert message.endswith("Convert it: iconv -f WINDOWS-1252 -t UTF-8 x.yaml > new.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfea", b"t\x00y\x00p", b"\xfe\xff\xd8\x00\x00a"])
def test_half_a_text_in_two_bytes_is_told(content: bytes) -> None:
    assert "is not whole UTF-16" in refused(content)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mtls:\n\tbackends: []\n", "Line 2, column 1 is a tab (U+0009): write spaces (expand"),
        ("type: Mesh\nname:\u00a0d\n", "Line 2, column 6 is a no-break space (U+00A0): write a"),
        (
            "a:\n\u2002 b: 1\n  c: 2\n",
            "en space (U+2002): write a space (sed -i 's/\\xe2\\x80\\x82/ /g'",
        ),
        ("\u3000a: b\n", "line 1, column 1: here stands an ideographic space (U+3000)"),
        ("a: b\u200b\n", "line 1, column 4: here stands a zero width space (U+200B): take it out"),
        ("a: \u201cb\u201d\n", 'here stands a left double quotation mark (U+201C): write "'),
        ("\u2013 a: b\n", "here stands an en dash (U+2013): write -"),
        ("a\u00adb: c\n", "here stands a soft hyphen (U+00AD): take it out"),
        ("a: [\u201cb, c: d\u201d\n", "left double quotation mark (U+201C)"),
        ("a: b\x07\n", "Line 1, column 5 is a control character (U+0007): take it out"),
    ],
)
def test_a_character_that_nobody_sees_is_named_with_its_place_and_remedy(
    text: str, told: str
) -> None:
    assert told in refused(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        'a: "\u00a0b"',
        "a: '\u201cb\u201d'",
        '"\u2013a": b',
        "a: b\u00a0c",
        "a: |\n  \u201cb\u201d\n",
    ],
)
def test_what_is_quoted_or_within_a_text_is_meant(text: str) -> None:
    assert len(read(text.encode())) == 1


def test_a_refusal_shows_no_text_which_may_be_a_secret() -> None:
    assert "canary" not in refused("data: canary\u200b\n".encode())


@given(character=st.characters(codec="utf-8"))
def test_every_character_can_be_told_on_one_line(character: str) -> None:
    told = odd_characters.told(character)

    assert told.isprintable() or not character.isprintable()
    assert f"(U+{ord(character):04X})" in told
    assert "\n" not in told.replace(character, "")


def test_what_is_plain_is_never_odd() -> None:
    for number in range(0x20, 0x3000):
        character = chr(number)
        plain = character.isprintable() and unicodedata.category(character) in {"Ll", "Lu", "Nd"}
        if plain:
            assert odd_characters.in_name(character) is None
            assert odd_characters.at_an_edge(character) is None
