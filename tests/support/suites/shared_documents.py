"""The resources in the suites of the shared data folder, where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from support.suites.validation_cases import JsonLoader, shared_folder


@cache
def suites() -> Path | None:
    folder = shared_folder()
    return None if folder is None else folder / "conformance/suites"


def resources() -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = suites()
    if folder is None:
        return
    for path in sorted(folder.glob("*/data/**/*")):
        if path.suffix in {".yaml", ".json"} and path.is_file():
            yield from ((path, document) for document in _documents(path))


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        loaded = list(yaml.load_all(path.read_text(), JsonLoader))
    except yaml.YAMLError:
        return []
    documents = [each for each in loaded if isinstance(each, dict)]
    listed = [each["items"] for each in documents if isinstance(each.get("items"), list)]
    items = [item for items in listed for item in items if isinstance(item, dict)]
    return [json.loads(json.dumps(each, default=_instant)) for each in documents + items]


def _instant(value: Any) -> str:
    return str(value.isoformat()).replace("+00:00", "Z")
