"""The validation cases of the shared data folder, where there is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kind import InvalidResourceError, Kind

CHECKOUT = Path(__file__).parents[3]
# Unquoted dates and sexagesimal numbers of YAML stay what a JSON reader would see: text, ints.
JsonLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class ValidationCase:
    """One body, and every violation it has to give."""

    id: str
    body: Mapping[str, Any]
    violations: frozenset[tuple[str, str]]
    notes: tuple[str, ...] = ()


@cache
def shared_folder() -> Path | None:
    """`$KMESH_SHARED`, or the folder `shared` beside the checkout; None without either."""
    named = os.environ.get("KMESH_SHARED")
    folder = Path(named) if named else CHECKOUT.parent / "shared"
    return folder if (folder / "conformance").is_dir() else None


def cases_of(resource_type: str) -> list[Any]:
    """The cases of a type as parameters; one skipped parameter where there is no data."""
    folder = shared_folder()
    if folder is None:
        return [pytest.param(None, marks=pytest.mark.skip("no shared data beside the checkout"))]
    text = (folder / "conformance/validation" / f"{resource_type}.yaml").read_text()
    document = yaml.load(text, JsonLoader)
    nested = document["body"] == "spec"
    return [pytest.param(_case(case, nested=nested), id=case["id"]) for case in document["cases"]]


def _case(case: Mapping[str, Any], *, nested: bool) -> ValidationCase:
    given = yaml.load(case["input"], JsonLoader) or {}
    return ValidationCase(
        id=case["id"],
        body={"spec": given} if nested else given,
        violations=frozenset((each["field"], each["message"]) for each in case["violations"]),
        notes=tuple(case.get("notes", ())),
    )


def violations_of(kind: Kind[Any], body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What `kind` has against `body`, whether it finds it while reading or while checking."""
    try:
        spec = kind.parse(body)
    except ParseError as error:
        return [("", error.reason)]
    except InvalidResourceError as error:
        return [(each.field, each.message) for each in error.violations]
    return [(each.field, each.message) for each in kind.validate(spec)]
