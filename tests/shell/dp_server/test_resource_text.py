"""What a proxy brings along, as JSON or as YAML."""

from __future__ import annotations

import pytest

from kong_mesh_cp.shell.dp_server.resource_text import YAML_CHARACTERS_MAX, read_resource_text


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('{"type": "Dataplane"}', {"type": "Dataplane"}),
        ("type: Dataplane\nname: web-1\n", {"type": "Dataplane", "name": "web-1"}),
        ("creationTime: 2001-01-01T00:00:00Z", {"creationTime": "2001-01-01T00:00:00Z"}),
        ("a: {b: [1, true, null, 'x']}", {"a": {"b": [1, True, None, "x"]}}),
    ],
)
def test_both_forms_are_read(text: str, document: object) -> None:
    assert read_resource_text(text) == document


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: &x {}\nb: *x",
        "!!python/object/apply:os.system ['true']",
        "[" * 5000,
        "x: " + "y" * YAML_CHARACTERS_MAX,
        "a: \ud800",
        "a: \x00",
    ],
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is no "):
        read_resource_text(text)
