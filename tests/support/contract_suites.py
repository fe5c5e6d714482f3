"""The cases that state how a Kuma control plane validates, where they are at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from kong_mesh_cp.core.resources.plugin_kind import PluginKind, read_document
from kong_mesh_cp.core.resources.schema_nodes import Faults
from kong_mesh_cp.core.resources.violations import Violation

_CHECKOUT: Final = Path(__file__).parents[2]


def shared() -> Path:
    """The folder of shared data: KMESH_SHARED, or the one beside this checkout."""
    return Path(os.environ.get("KMESH_SHARED", _CHECKOUT.parent / "shared"))


@dataclass(frozen=True)
class ValidationCase:
    id: str
    document: dict[str, Any]
    violations: frozenset[Violation]
    over_rest: bool
    name: str
    options: dict[str, Any]


def validation_cases(resource_type: str) -> list[Any]:
    """The cases of one type as parameters of a test; one skipped parameter where there are none."""
    page = shared() / "conformance" / "validation" / f"{resource_type}.yaml"
    if not page.is_file():
        reason = f"{page} is not there; set KMESH_SHARED"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=resource_type)]
    cases = yaml.safe_load(page.read_text())["cases"]
    return [pytest.param(_case(case), id=case["id"]) for case in cases]


def _case(case: dict[str, Any]) -> ValidationCase:
    found = frozenset(Violation(v["field"], v["message"]) for v in case["violations"])
    return ValidationCase(
        id=case["id"],
        document=yaml.safe_load(case["input"]) or {},
        violations=found,
        over_rest=case["rest"],
        name=case.get("name", "resource"),
        options=case.get("options", {}),
    )


def judged(kind: PluginKind[Any], case: ValidationCase) -> set[Violation]:
    """What `kind` says of a case: over REST the schema speaks first, in the other cases not at all.

    Those are inputs that the schema would refuse before the rules are asked; the rules are asked
    nevertheless, with the values that Go's decoder would have made of the input.
    """
    document = {"type": kind.type, "mesh": "mesh-1", "name": case.name, "spec": case.document}
    if case.over_rest:
        spec = kind.parse(document)
    else:
        spec = read_document(kind.type, kind.spec_type, document, Faults())
    return {*kind.validate_name(case.name), *kind.validate(spec)}
