"""Every resource of the shared data whose spec is a message: from JSON to bytes, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import ProtoKind
from kong_mesh_cp.core.resources.kinds.catalogue import KINDS
from kong_mesh_cp.core.schema.message_binary import decode, encode
from kong_mesh_cp.core.schema.messages import Message, read_message, write_message
from support.specs.wire_fields import lengthy
from support.suites.shared_documents import resources
from support.suites.validation_cases import JsonLoader, shared_folder

KINDS_WITHOUT_NUMBERS = {"AccessRole", "AccessRoleBinding"}
URL = "type.googleapis.com/kuma."
UNKNOWN = lengthy(2**29 - 1, b"from a newer version")


def message_type(name: object) -> type[Message] | None:
    if name not in KINDS or name in KINDS_WITHOUT_NUMBERS:
        return None
    kind = KINDS[str(name)]
    return kind.message_type if isinstance(kind, ProtoKind) else None


def in_suites() -> Iterator[tuple[str, Any]]:
    yield from ((str(document.get("type")), document) for _, document in resources())


def in_validation_cases() -> Iterator[tuple[str, Any]]:
    folder = shared_folder()
    for page in sorted((folder or pytest.skip("no data")).glob("conformance/validation/*.yaml")):
        for case in yaml.load(page.read_text(), JsonLoader)["cases"]:
            given = yaml.load(case["input"], JsonLoader)
            if isinstance(given, dict):
                yield page.stem, json.loads(json.dumps(given, default=str))


def between_zones() -> Iterator[tuple[str, Any]]:
    """The specs in the recordings of what travelled between zones, with the type of their Any."""
    folder = shared_folder()
    for page in sorted((folder or pytest.skip("no data")).glob("conformance/kds/expected/*.json")):
        yield from _sent(json.loads(page.read_text()))


def _sent(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and "spec" in value and str(value.get("spec_url")).startswith(URL):
        yield value["spec_url"].rpartition(".")[2], value["spec"]
    members = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for each in members:
            yield from _sent(each)


@pytest.mark.parametrize(
    ("source", "count_min"), [(in_suites, 500), (in_validation_cases, 150), (between_zones, 10)]
)
def test_a_resource_comes_back_from_its_bytes_as_it_was(source: Any, count_min: int) -> None:
    if shared_folder() is None:
        pytest.skip("no shared data beside the checkout")
    count = 0
    for name, document in source():
        cls = message_type(name)
        try:
            message = read_message(cls, document) if cls else None
        except ParseError:
            continue  # a case of what cannot be read
        if cls is None or message is None:
            continue
        data = encode(message)
        back = decode(cls, data)
        assert write_message(back) == write_message(message), document
        assert encode(back) == data
        newer = decode(cls, UNKNOWN + data)
        assert encode(newer) == data + UNKNOWN
        assert write_message(newer) == write_message(message)
        count += 1
    assert count > count_min
