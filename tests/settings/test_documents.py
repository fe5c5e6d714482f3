"""Files as they are found on disk: syntax, encodings, sizes, aliases, and the line of each key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kong_mesh_cp.settings.documents import (
    DOCUMENT_BYTES_MAX,
    Document,
    parse_document,
    read_document,
)
from kong_mesh_cp.settings.problems import SettingsRejectedError
from support.specs.configurations import kuma_yaml, toml


def _read(path: Path) -> Document:
    document = read_document(path)
    assert document is not None
    return document


def _code(path: Path) -> str:
    with pytest.raises(SettingsRejectedError) as caught:
        read_document(path)
    assert caught.value.line.isprintable()
    return caught.value.code


def test_a_file_that_does_not_exist_is_none(tmp_path: Path) -> None:
    assert read_document(tmp_path / "missing.toml") is None
    assert read_document(Path("/dev/null/missing.toml")) is None


def test_an_empty_file_is_of_the_form_that_its_name_says(tmp_path: Path) -> None:
    assert not _read(toml(tmp_path, "")).lenient
    assert _read(kuma_yaml(tmp_path, "")).lenient


@pytest.mark.parametrize("name", ["kuma-cp.conf", "config", "c.YAML", "c.yaml.bak", "c.toml"])
@pytest.mark.parametrize(
    "text",
    [
        "environment: universal\nmode: zone\nstore:\n  type: memory\n",
        "---\n# as Kuma writes it\n\nstore: {type: memory}\n",
        '{"store": {"type": "memory"}}',
        "\ufeffstore:\r\n  type: memory\r\n",
    ],
    ids=["mapping", "document start", "JSON", "from Windows"],
)
def test_a_kuma_yaml_may_have_any_name(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    document = _read(path)
    assert document.lenient
    assert document.tree["store"] == {"type": "memory"}


@pytest.mark.parametrize("name", ["c.yml", "c.yaml", "c.conf"])
def test_so_may_our_own_form(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('[store]\ntype = "memory"\n', encoding="utf-8")
    document = _read(path)
    assert not document.lenient
    assert document.tree == {"store": {"type": "memory"}}


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("c.conf", "mode: [\n", "is not YAML"),
        ("c.conf", "[log]\nlevel = debug\n", "is not TOML"),
        ("c.yaml", "mode: [\n", "is not YAML"),
        ("c.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {}\n", "manifest of Kubernetes"),
        ("c.toml", "level = debug\n", "is not TOML"),
    ],
)
def test_what_is_neither_is_refused_as_what_it_looks_like(
    tmp_path: Path, name: str, text: str, form: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsRejectedError, match=form):
        read_document(path)


@pytest.mark.parametrize(
    "value", ["*hunter2", "&hunter2 a\nb: &hunter2 c\nd: e: f", "!hunter2!x y"]
)
def test_what_a_parser_says_repeats_no_value(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsRejectedError) as caught:
        read_document(kuma_yaml(tmp_path, f"store:\n  postgres:\n    password: {value}\n"))
    assert "hunter2" not in caught.value.line


@pytest.mark.parametrize("text", ["mode = ", "[a", "a = 1\na = 2\n", f"a = {'9' * 5000}", "{"])
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    assert _code(toml(tmp_path, text)) == "config-syntax"


@pytest.mark.parametrize(
    "text", ["mode: [", "a: b: c", "- list", "just text", "%bad", "a: *nobody", "\x01"]
)
def test_what_is_not_a_yaml_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert _code(kuma_yaml(tmp_path, text)) == "config-syntax"


def test_a_second_yaml_document_is_refused(tmp_path: Path) -> None:
    assert _code(kuma_yaml(tmp_path, "mode: zone\n---\nmode: global\n")) == "config-syntax"


@pytest.mark.parametrize("write", [toml, kuma_yaml])
def test_nesting_bombs_are_refused(tmp_path: Path, write: Callable[[Path, str], Path]) -> None:
    assert (
        _code(write(tmp_path, f"a{' =' if write is toml else ':'} " + "[" * 100_000))
        == "config-syntax"
    )


def test_characters_escaped_in_halves_are_joined_and_a_lone_half_is_refused(tmp_path: Path) -> None:
    whole = kuma_yaml(tmp_path, 'a: "\\ud83d\\ude00"\n')
    assert _read(whole).tree == {"a": "\U0001f600"}
    assert _code(kuma_yaml(tmp_path, 'a: "\\ud83d"\n')) == "config-syntax"


def test_a_key_twice_in_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = kuma_yaml(tmp_path, "apiServer:\n  http:\n    port: 1\n    port: 2\n")
    with pytest.raises(SettingsRejectedError, match=r"line 4: 'port' is there twice"):
        read_document(path)


def test_a_yaml_key_that_is_not_text_is_refused(tmp_path: Path) -> None:
    assert _code(kuma_yaml(tmp_path, "? [a, b]\n: 1\n")) == "config-syntax"


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'mode = "z\xf6ne"\n')
    assert _code(path) == "config-not-utf8"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    fits = toml(tmp_path, "#" * DOCUMENT_BYTES_MAX)
    assert _read(fits).tree == {}
    assert _code(toml(tmp_path, "#" * (DOCUMENT_BYTES_MAX + 1))) == "config-too-large"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert _code(tmp_path) == "config-unreadable"


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert _code(tmp_path / "pipe.toml") == "config-unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    path = toml(tmp_path, "")
    path.chmod(0)
    assert _code(path) == "config-unreadable"


def test_an_impossible_name_is_refused() -> None:
    assert _code(Path("a\0b.toml")) == "config-unreadable"
    assert _code(Path("a" * 5000)) == "config-unreadable"


def test_an_alias_is_the_same_object_and_cannot_multiply(tmp_path: Path) -> None:
    levels = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
    )
    tree = _read(kuma_yaml(tmp_path, levels)).tree
    top = tree["a39"]
    assert isinstance(top, list)
    assert all(item is top[0] for item in top)


def test_an_alias_to_what_holds_it_ends(tmp_path: Path) -> None:
    tree = _read(kuma_yaml(tmp_path, "a: &a\n  b: *a\n")).tree
    assert isinstance(tree["a"], dict)
    assert tree["a"]["b"] is tree["a"]


def test_merge_keys_are_plain_unknown_names(tmp_path: Path) -> None:
    tree = _read(kuma_yaml(tmp_path, "a: &a {x: 1}\nb:\n  <<: *a\n")).tree
    assert tree["b"] == {"<<": {"x": "1"}}


def test_yaml_scalars_stay_text_but_booleans_and_null(tmp_path: Path) -> None:
    text = "port: 12:30\ndate: 2001-13-45\non: yes\nnone: ~\nquoted: 'yes'\nempty:\ntag: !!int ''\n"
    assert _read(kuma_yaml(tmp_path, text)).tree == {
        "port": "12:30",
        "date": "2001-13-45",
        "on": True,
        "none": None,
        "quoted": "yes",
        "empty": None,
        "tag": "",
    }


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("a = 1\nb = 2\n", "b", 2),
        ("\n[a.b]\nc = 1\n", "a.b.c", 3),
        ("[a]\nb.c = 1\n", "a.b.c", 2),
        ("[a]\nb.c = 1\n", "a.b", 2),
        ("x = 1\n[a.b] # why\n", "a", 2),
        ("x = 1\n[ a . 'b' ]\n  \"c\" = 1\n", "a.b.c", 3),
        ("a = { b = 1 }\n", "a.b", None),
    ],
)
def test_the_line_of_a_toml_key_is_found(
    tmp_path: Path, text: str, keys: str, line: int | None
) -> None:
    assert _read(toml(tmp_path, text)).line_of(keys.split(".")) == line


def test_the_line_of_a_yaml_key_is_exact(tmp_path: Path) -> None:
    document = _read(kuma_yaml(tmp_path, "# why\na:\n  b:\n    c: 1\n    d: 2\n"))
    assert document.line_of(["a", "b", "d"]) == 5
    assert document.line_of(["a", "x", "d"]) is None
    assert document.location_of(["a"]) == f"{document.path} line 2"


def test_a_document_does_not_show_what_it_holds(tmp_path: Path) -> None:
    assert "canary" not in repr(_read(toml(tmp_path, "x = 'canary'\n")))


def test_a_hostile_file_name_stays_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nfake: line.toml"
    path.write_text("[")
    assert _code(path) == "config-syntax"


def test_a_key_has_a_bounded_number_of_parts() -> None:
    text = f"{'a.' * 65}a = 1\n"
    with pytest.raises(SettingsRejectedError) as caught:
        parse_document(f"\n{text}", path=Path("/x.toml"), kuma=False)
    assert caught.value.code == "config-syntax"
    assert "line 2 has a key of more than 64 parts" in caught.value.message
