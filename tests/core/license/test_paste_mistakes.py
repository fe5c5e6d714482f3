from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.paste_mistakes import SLIP_CHARACTERS_MAX, hint_for, is_document
from kong_mesh_cp.core.license.sources import SourceKind
from support.licenses.licenses import LICENSE_KEY, license_document
from support.suites.growth import GROWTH_MAX, growth
from support.suites.hostile_texts import HOSTILE_TEXTS

TEXT = license_document().decode()
BASE64 = base64.b64encode(license_document()).decode()
KINDS = [None, *SourceKind]


@pytest.mark.parametrize(
    "text", [TEXT, f"  {TEXT}", f"'{TEXT}'", f'"{TEXT}"', BASE64, TEXT.replace('"', '\\"')]
)
def test_a_license_where_a_path_should_be_is_refused_with_its_right_setting(text: str) -> None:
    assert "KMESH_LICENSE_INLINE" in (hint_for(SourceKind.PATH, text) or "")
    assert "license.inline" in (hint_for(SourceKind.CONFIG_PATH, text) or "")
    assert is_document(text)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/kong-mesh/license.json",
        "./license.json",
        "../license.json",
        "license.json\n",
        "~/license",
        "file:///etc/license.json",
        '"/etc/kong-mesh/license.json"',
        "/etc/with space/license",
    ],
)
def test_a_path_where_a_license_should_be_is_refused_with_its_right_setting(path: str) -> None:
    assert "KMESH_LICENSE_PATH" in (hint_for(SourceKind.INLINE, path) or "")
    assert "license.path" in (hint_for(SourceKind.CONFIG_INLINE, path) or "")
    assert not is_document(path)


@pytest.mark.parametrize("quotes", ["“”", "‘’", "„“", "«»"])
def test_typographic_quotes_are_recognised(quotes: str) -> None:
    text = '{“license”: {"version": 1}}'.replace("“", quotes[0]).replace("”", quotes[1])
    assert "curly" in (hint_for(SourceKind.INLINE, text) or "")
    path = f"{quotes[0]}/etc/license.json{quotes[1]}"
    assert "quotes" in (hint_for(SourceKind.PATH, path) or "")


@pytest.mark.parametrize(
    "text", [f"'{TEXT.strip()}'", f'"{TEXT.strip()}"', TEXT.replace('"', '\\"'), f"'{TEXT}"]
)
def test_quoting_for_a_shell_is_recognised(text: str) -> None:
    assert "shell" in (hint_for(SourceKind.INLINE, text) or "")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_base64_of_a_license_is_recognised(encode: object) -> None:
    assert callable(encode)
    text = encode(json.dumps(json.loads(TEXT)).encode()).decode()
    assert "base64 -d" in (hint_for(SourceKind.INLINE, text) or "")
    assert "base64 -d" in (hint_for(None, text.rstrip("=\n")) or "")


@pytest.mark.parametrize(
    ("path", "word"),
    [("'/etc/license.json'", "quotes"), ("~/license.json", "~"), ("file:///x.json", "file://")],
)
def test_a_path_in_a_wrapping_is_refused_with_the_advice_to_unwrap_it(path: str, word: str) -> None:
    assert word in (hint_for(SourceKind.PATH, path) or "")


def test_an_honest_path_or_document_gets_no_hint() -> None:
    assert hint_for(SourceKind.PATH, "/etc/kong-mesh/license.json") is None
    assert hint_for(SourceKind.INLINE, TEXT) is None
    assert hint_for(None, "{") is None


@given(st.sampled_from(KINDS), st.text() | st.text(alphabet="'\"{}\\/.~ eyJsaWNlbnNl=”"))
def test_any_text_gets_a_sentence_or_nothing(kind: SourceKind | None, text: str) -> None:
    hint = hint_for(kind, text)
    assert hint is None or hint.isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_no_hint_quotes_what_it_is_about(kind: SourceKind | None) -> None:
    for text in (TEXT, BASE64, f"'{TEXT}'", f"/{LICENSE_KEY}", TEXT.replace('"', "”")):
        assert LICENSE_KEY not in (hint_for(kind, text) or "")


def test_what_is_too_long_to_be_a_slip_is_not_looked_at() -> None:
    assert hint_for(None, "'{" * SLIP_CHARACTERS_MAX) is None


@pytest.mark.parametrize("shape", HOSTILE_TEXTS)
@pytest.mark.parametrize("kind", [None, SourceKind.PATH])
def test_a_look_for_slips_costs_what_the_length_is(kind: SourceKind | None, shape: str) -> None:
    def looking(size: int) -> Callable[[], object]:
        return partial(hint_for, kind, HOSTILE_TEXTS[shape](size))

    assert growth(looking, SLIP_CHARACTERS_MAX // 4) < GROWTH_MAX
