"""Paths of fields as clients see them."""

from __future__ import annotations

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.schema.violations import ROOT, FieldPath, Violation, root


def test_a_path_names_members_indices_and_keys() -> None:
    path = root("networking").field("inbound").index(0).field("tags").key("kuma.io/service")
    assert str(path) == 'networking.inbound[0].tags["kuma.io/service"]'
    assert path.violation("tag has to exist") == Violation(str(path), "tag has to exist")


def test_the_root_adds_no_point() -> None:
    assert str(ROOT.field("spec")) == "spec"
    assert str(ROOT.index(1)) == "[1]"


def test_a_path_is_a_value() -> None:
    base = root("a")
    assert base.field("b") == FieldPath("a.b")
    assert str(base) == "a"


def test_the_key_of_an_entry_cannot_break_the_line() -> None:
    assert str(root("tags").key('a"b\n')) == 'tags["a\\"b\\n"]'


def test_text_is_quoted_as_go_quotes_it() -> None:
    assert go_quote("a\tb\\c\x01\u200b\U000e0001é") == '"a\\tb\\\\c\\x01\\u200b\\U000e0001é"'
